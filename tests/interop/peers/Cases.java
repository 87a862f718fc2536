import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.util.HexFormat;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** What Java's clients share: the cases, the bodies, the lines of JSON. */
class Cases {
    /** A case; a length of -1 is no body, one of -2 a body of 10 MB without a length. */
    record Case(String name, String method, String path, int length, String upgrade) {}

    record Answer(String version, int status, String length, byte[] body) {}

    interface Client {
        Answer send(Case one) throws Exception;
    }

    static final List<Case> ALL = List.of(
            new Case("get", "GET", "/sized/1000000", -1, null),
            new Case("head", "HEAD", "/sized/1000000", -1, null),
            new Case("post-0", "POST", "/echo", 0, null),
            new Case("post-10", "POST", "/echo", 10_000_000, null),
            new Case("post-20", "POST", "/echo", 20_000_000, null),
            new Case("chunked", "POST", "/echo", -2, null),
            new Case("early", "POST", "/early", 20_000_000, null),
            new Case("upgrade", "GET", "/echo", -1, "TLS/1.2"),
            new Case("upgrade-post", "POST", "/echo", 100_000, "h2c"),
            new Case("again", "GET", "/many/100000", -1, null));

    static byte[] pattern(int length) {
        byte[] body = new byte[length];
        for (int at = 0; at < length; at++) body[at] = (byte) (at % 251);
        return body;
    }

    /** 10 MB in pieces of many sizes. */
    static InputStream pieces() {
        return new ByteArrayInputStream(pattern(10_000_000)) {
            private final int[] sizes = {1, 4096, 100_000, 8192, 65536, 3};
            private int turn = 0;

            @Override
            public synchronized int read(byte[] to, int at, int length) {
                return super.read(to, at, Math.min(length, sizes[turn++ % sizes.length]));
            }
        };
    }

    static SSLContext trusting(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream pem = new FileInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }

    static void run(String version, String only, Client client) throws Exception {
        for (Case one : ALL) {
            if (only != null && !List.of(only.split(",")).contains(one.name)) continue;
            if (version.equals("2") && one.name.startsWith("upgrade")) continue;
            try {
                Answer answer = client.send(one);
                byte[] body = answer.body == null ? new byte[0] : answer.body;
                byte[] hash = MessageDigest.getInstance("SHA-256").digest(body);
                System.out.printf(
                        "{\"case\":\"%s\",\"version\":\"%s\",\"status\":%d,\"length\":\"%s\",\"bytes\":%d,\"sha256\":\"%s\"}%n",
                        one.name, answer.version, answer.status, answer.length, body.length,
                        HexFormat.of().formatHex(hash));
            } catch (UnsupportedOperationException cannot) {
                continue;
            } catch (Exception error) {
                String text = error.toString().replace("\"", "'").replace("\n", " ");
                System.out.printf("{\"case\":\"%s\",\"error\":\"%s\"}%n", one.name, text);
            }
        }
        System.exit(0);
    }
}
