// Orders to Spor, with an outbox of files. Java 11 or newer, standard library only.
//
//   java Spor.java add ORDER_ID PRODUCT_ID QUANTITY UNIT_PRICE    when the order is stored
//   java Spor.java send                                           from cron or a worker, each minute
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

class Spor {
    static final int BATCH = 100, ATTEMPTS = 8, LONGEST_WAIT = 60;
    static final Path OUTBOX = Path.of(System.getenv("SPOR_OUTBOX")), REJECTED = OUTBOX.resolve("rejected");
    static final SecureRandom RANDOM = new SecureRandom();
    static final HttpClient HTTP = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();

    static String now() {
        return Instant.now().truncatedTo(ChronoUnit.MILLIS).toString();
    }

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ") + '"';
    }

    static void add(String orderId, String productId, String quantity, String unitPrice) throws IOException {
        BigDecimal price = new BigDecimal(unitPrice), count = new BigDecimal(quantity); // never double or float
        BigDecimal total = count.multiply(price).setScale(2, RoundingMode.HALF_EVEN);
        String hex = String.format("%012x7%03x8%015x", System.currentTimeMillis(), RANDOM.nextInt(1 << 12), RANDOM.nextLong() >>> 4);
        String id = hex.replaceAll("^(.{8})(.{4})(.{4})(.{4})", "$1-$2-$3-$4-"); // UUID 7: made once, kept on every resend
        String event = "{\"eventId\":\"" + id + "\",\"type\":\"OrderCreated\",\"timestamp\":\"" + now() + "\",\"anonymousId\":\"a-1\""
            + ",\"orderId\":" + quoted(orderId) + ",\"currency\":\"DKK\",\"total\":" + total.toPlainString()
            + ",\"lines\":[{\"productId\":" + quoted(productId) + ",\"quantity\":" + count.toPlainString()
            + ",\"unitPrice\":" + price.toPlainString() + "}]}";
        Path file = Files.writeString(OUTBOX.resolve(id + ".new"), event);
        Files.move(file, OUTBOX.resolve(id + ".json"), StandardCopyOption.ATOMIC_MOVE); // a reader never sees half a file
    }

    static HttpResponse<String> post(String events) throws InterruptedException {
        String body = "{\"sentAt\":\"" + now() + "\",\"events\":[" + events + "]}";
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("SPOR_URL") + "/api/events"))
            .header("Content-Type", "application/json").header("X-Instrumentation-Key", System.getenv("SPOR_KEY"))
            .timeout(Duration.ofSeconds(30)).POST(HttpRequest.BodyPublishers.ofString(body)).build();
        try {
            return HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException noAnswer) {
            return null;
        }
    }

    /** A text of the answer's JSON; empty for an answer that is not the receiver's. */
    static String field(HttpResponse<String> answer, String name) {
        boolean json = answer != null && answer.body().startsWith("{");
        Matcher found = Pattern.compile("\"" + name + "\":\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json ? answer.body() : "");
        return found.find() ? found.group(1) : "";
    }

    static void send() throws IOException, InterruptedException {
        for (int most = BATCH, failures = 0;;) {
            Path[] files;
            try (var all = Files.list(OUTBOX)) {
                files = all.filter(file -> file.toString().endsWith(".json")).sorted().limit(most).toArray(Path[]::new);
            }
            if (files.length == 0) return;
            StringBuilder events = new StringBuilder();
            for (Path file : files) events.append(events.length() == 0 ? "" : ",").append(Files.readString(file));
            HttpResponse<String> answer = post(events.toString());
            int status = answer == null ? 0 : answer.statusCode();
            String code = field(answer, "code");
            if (!field(answer, "receiptId").isEmpty() || answer != null && answer.body().startsWith("{\"code\":\"no_valid_event\"")) {
                // The receiver's word about each event. A JSON library would read the verdicts; these begin with their index.
                Matcher verdicts = Pattern.compile("\\{\"index\":(\\d+).*?(?=,\\{\"index\"|]\\})").matcher(answer.body());
                while (verdicts.find()) {
                    Path file = files[Integer.parseInt(verdicts.group(1))], to = REJECTED.resolve(file.getFileName());
                    Files.writeString(Path.of(to + ".verdict"), verdicts.group());
                    Files.move(file, to, StandardCopyOption.REPLACE_EXISTING);
                }
                for (Path file : files) Files.deleteIfExists(file);
                most = BATCH;
                failures = 0;
            } else if (status == 413 && !code.isEmpty() && most > 1) {
                most = (files.length + 1) / 2;
            } else if (!code.isEmpty() && status < 500 && status != 429) {
                System.err.println(status + " " + code + ": " + field(answer, "message")); // a person must act; the outbox keeps all
                System.exit(1);
            } else { // 429, 500, 503, no answer, or a proxy's 502, 504 or page: send the same events again
                if (++failures == ATTEMPTS) {
                    System.err.println("Spor does not answer; the next run goes on");
                    System.exit(1);
                }
                double wait = answer == null ? 0 : Double.parseDouble(answer.headers().firstValue("Retry-After").orElse("0"));
                double jitter = RANDOM.nextDouble() * Math.min(LONGEST_WAIT, 0.5 * Math.pow(2, failures));
                Thread.sleep((long) (1000 * Math.max(wait, jitter)));
            }
        }
    }

    public static void main(String[] args) throws Exception {
        Files.createDirectories(REJECTED);
        if (args[0].equals("add")) add(args[1], args[2], args[3], args[4]);
        else send();
    }
}
