import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.GZIPOutputStream;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/** A service on Tomcat: `TomcatService FOLDER REQUESTS IDLE` prints its port. It ends each connection after so many requests, and
 * after so many milliseconds without one. See service.mjs for the paths. */
class TomcatService extends HttpServlet {
    static byte[] pattern(int length) {
        byte[] body = new byte[length];
        for (int at = 0; at < length; at++) body[at] = (byte) (at % 251);
        return body;
    }

    static byte[] packed(byte[] body) throws IOException {
        ByteArrayOutputStream to = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(to)) {
            gzip.write(body);
        }
        return to.toByteArray();
    }

    static void inMany(HttpServletResponse answer, byte[] body) throws IOException {
        int[] sizes = {1, 4096, 100, 8192, 16384, 3, 65536, 5000};
        answer.flushBuffer();
        for (int at = 0, turn = 0; at < body.length; turn++) {
            int size = Math.min(sizes[turn % sizes.length], body.length - at);
            answer.getOutputStream().write(body, at, size);
            answer.flushBuffer();
            at += size;
        }
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse answer) throws IOException {
        String[] path = request.getRequestURI().split("/");
        answer.setContentType("text/plain");
        if (path[1].equals("echo")) {
            echo(request, answer);
            return;
        }
        byte[] body = pattern(Integer.parseInt(path[2]));
        if (path[1].startsWith("gzip")) {
            body = packed(body);
            answer.setHeader("Content-Encoding", "gzip");
        }
        switch (path[1]) {
            case "sized", "gzip" -> {
                answer.setContentLength(body.length);
                answer.getOutputStream().write(body);
            }
            case "one" -> {
                // Flushed first, or Tomcat would count what is small.
                answer.flushBuffer();
                answer.getOutputStream().write(body);
            }
            default -> inMany(answer, body);
        }
    }

    private void echo(HttpServletRequest request, HttpServletResponse answer) throws IOException {
        try {
            MessageDigest hash = MessageDigest.getInstance("SHA-256");
            byte[] part = new byte[65536];
            long length = 0;
            InputStream from = request.getInputStream();
            for (int count; (count = from.read(part)) >= 0; length += count) hash.update(part, 0, count);
            String coding = request.getHeader("transfer-encoding");
            String framing = coding != null ? coding : request.getHeader("content-length") != null ? "length" : "none";
            String upgrade = request.getHeader("upgrade");
            String text = String.format("%s %d %s %s %s%n", request.getMethod(), length,
                    HexFormat.of().formatHex(hash.digest()), framing, upgrade == null ? "none" : upgrade);
            answer.setContentLength(text.length());
            answer.getOutputStream().print(text);
        } catch (java.security.NoSuchAlgorithmException error) {
            throw new IOException(error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        OutputStream out = System.out;
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(arguments[0]);
        Connector connector = new Connector();
        connector.setPort(0);
        connector.setProperty("address", "127.0.0.1");
        connector.setProperty("maxKeepAliveRequests", arguments[1]);
        connector.setProperty("keepAliveTimeout", arguments[2]);
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", arguments[0]);
        Tomcat.addServlet(context, "service", new TomcatService());
        context.addServletMappingDecoded("/", "service");
        tomcat.start();
        out.write((connector.getLocalPort() + "\n").getBytes());
        out.flush();
        tomcat.getServer().await();
    }
}
