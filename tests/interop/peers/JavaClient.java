import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;

/** Java's own HttpClient: `JavaClient URL CA VERSION [CASES]`. It forbids fields of the connection, so it offers no upgrade
 * but the one to h2c that it makes itself: for VERSION 2 in clear. */
class JavaClient {
    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        HttpClient.Version version =
                arguments[2].equals("2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1;
        HttpClient client = HttpClient.newBuilder().version(version).sslContext(Cases.trusting(arguments[1])).build();
        Cases.run(arguments[2], arguments.length > 3 ? arguments[3] : null, one -> {
            if (one.upgrade() != null) throw new UnsupportedOperationException();
            HttpRequest.BodyPublisher body = switch (one.length()) {
                case -1 -> BodyPublishers.noBody();
                case -2 -> BodyPublishers.ofInputStream(Cases::pieces);
                default -> BodyPublishers.ofByteArray(Cases.pattern(one.length()));
            };
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + one.path())).method(one.method(), body);
            // Java 17 never notices the end of a stream over HTTP/2 that is answered early: it would wait for ever.
            if (one.name().equals("early") && version == HttpClient.Version.HTTP_2) request.timeout(Duration.ofSeconds(5));
            HttpResponse<byte[]> answer = client.send(request.build(), BodyHandlers.ofByteArray());
            String spoken = answer.version() == HttpClient.Version.HTTP_2 ? "2" : "1.1";
            String length = answer.headers().firstValue("content-length").orElse("");
            return new Cases.Answer(spoken, answer.statusCode(), length, answer.body());
        });
    }
}
