import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.sts.StsClient;

/**
 * Prints the identity that the AWS SDK for Java has by its default chain, with the profile and the endpoint in its
 * environment. The argument is the number of clients that ask at once.
 */
class Caller {
    public static void main(String[] arguments) throws Exception {
        var count = Integer.parseInt(arguments[0]);
        var trusted = trustManagers(System.getenv("AWS_CA_BUNDLE"));
        var clients = new ArrayList<Callable<String>>();
        for (var i = 0; i < count; i++) {
            clients.add(() -> identity(trusted));
        }
        var code = 0;
        for (var answer : Executors.newFixedThreadPool(count).invokeAll(clients)) {
            try {
                System.out.println(answer.get());
            } catch (ExecutionException failed) {
                failed.getCause().printStackTrace();
                code = 1;
            }
        }
        System.exit(code);
    }

    /** Each client has its own provider, because the default one of the process would ask once for all of them. */
    static String identity(TrustManager[] trusted) {
        try (var credentials = DefaultCredentialsProvider.builder().build();
                var http = UrlConnectionHttpClient.builder().tlsTrustManagersProvider(() -> trusted).build();
                var sts = StsClient.builder().credentialsProvider(credentials).httpClient(http).build()) {
            return sts.getCallerIdentity().arn();
        }
    }

    /** The SDK for Java does not read AWS_CA_BUNDLE. */
    static TrustManager[] trustManagers(String bundle) throws Exception {
        var store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (var file = new FileInputStream(bundle)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }
}
