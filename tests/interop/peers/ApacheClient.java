import org.apache.hc.client5.http.classic.methods.HttpUriRequestBase;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManagerBuilder;
import org.apache.hc.client5.http.ssl.SSLConnectionSocketFactory;
import org.apache.hc.core5.http.ContentType;
import org.apache.hc.core5.http.Header;
import org.apache.hc.core5.http.io.entity.ByteArrayEntity;
import org.apache.hc.core5.http.io.entity.EntityUtils;
import org.apache.hc.core5.http.io.entity.InputStreamEntity;

/** Apache HttpClient 5: `ApacheClient URL CA VERSION [CASES]`. From 5.4 on it offers an upgrade to TLS by itself (`Connection:
 * Upgrade`, `Upgrade: TLS/1.2`), which 5.2 is told to do here. */
class ApacheClient {
    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        CloseableHttpClient client = HttpClients.custom()
                .disableAutomaticRetries()
                .disableContentCompression()
                .setConnectionManager(PoolingHttpClientConnectionManagerBuilder.create()
                        .setSSLSocketFactory(new SSLConnectionSocketFactory(Cases.trusting(arguments[1])))
                        .build())
                .build();
        Cases.run(arguments[2], arguments.length > 3 ? arguments[3] : null, one -> {
            HttpUriRequestBase request = new HttpUriRequestBase(one.method(), java.net.URI.create(url + one.path()));
            if (one.length() >= 0) {
                request.setEntity(new ByteArrayEntity(Cases.pattern(one.length()), ContentType.TEXT_PLAIN));
            } else if (one.length() == -2) {
                request.setEntity(new InputStreamEntity(Cases.pieces(), ContentType.TEXT_PLAIN));
            }
            if (one.upgrade() != null) {
                request.setHeader("Upgrade", one.upgrade());
                request.setHeader("Connection", "Upgrade");
            }
            return client.execute(request, answer -> {
                Header length = answer.getFirstHeader("content-length");
                byte[] body = answer.getEntity() == null ? null : EntityUtils.toByteArray(answer.getEntity());
                String version = answer.getVersion().getMajor() + "." + answer.getVersion().getMinor();
                return new Cases.Answer(version, answer.getCode(), length == null ? "" : length.getValue(), body);
            });
        });
    }
}
