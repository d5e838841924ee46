import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.apache.kafka.streams.state.WindowStore;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.CompressionType;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;

/**
 * The job of the benchmark in Kafka Streams: events and distinct users of an account by minute, exactly once, state in
 * RocksDB, results to a topic. Arguments: brokers, application id, input topic, output topic, state directory.
 */
public final class Peer {
    record Event(long time, long user) {}

    public static void main(String[] args) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(args[2], Consumed.with(Serdes.String(), Serdes.serdeFrom((topic, event) -> null, new Events()))
                        .withTimestampExtractor((record, time) -> record.value() == null ? time : ((Event) record.value()).time()))
                .filter((account, event) -> event != null && event.time() > 0)
                // Keyed by account already, so no repartition topic. The state is bytes, so reading and writing it costs no serde.
                .groupByKey(Grouped.with(Serdes.String(), Serdes.serdeFrom((topic, event) -> null, new Events())))
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofHours(4)))
                .aggregate(() -> new byte[8], (account, event, state) -> add(state, event.user()),
                        Materialized.<String, byte[], WindowStore<Bytes, byte[]>>as("minutes")
                                .withKeySerde(Serdes.String()).withValueSerde(Serdes.ByteArray()).withCachingEnabled())
                .toStream()
                .map((window, state) -> KeyValue.pair(window.key() + "|" + window.window().start(),
                        ByteBuffer.wrap(state).getLong() + "|" + (state.length / 8 - 1)))
                .to(args[3], Produced.with(Serdes.String(), Serdes.String()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(args));
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
        streams.start();
    }

    static Properties settings(String[] args) {
        Properties p = new Properties();
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
        p.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Runtime.getRuntime().availableProcessors());
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        // A commit is a transaction and writes what the cache holds: every 2 s instead of every 0.1 s.
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 2_000);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG), 60_000);
        // Room for every window that changes between two commits, so that each is written once a commit.
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 512L << 20);
        p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, Rocks.class);
        p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 512 << 10);
        return p;
    }

    /** One block cache for all stores, memtables that take a commit's writes whole, cheap compression. */
    public static final class Rocks implements RocksDBConfigSetter {
        private static final LRUCache cache = new LRUCache(256L << 20);

        @Override
        public void setConfig(String store, Options options, Map<String, Object> configs) {
            BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
            table.setBlockCache(cache);
            options.setTableFormatConfig(table);
            options.setWriteBufferSize(64L << 20);
            options.setCompressionType(CompressionType.LZ4_COMPRESSION);
        }

        @Override
        public void close(String store, Options options) {}
    }

    /** The state: the count, then the users, each eight bytes. A window has few users: searching them beats any table. */
    static byte[] add(byte[] state, long user) {
        ByteBuffer b = ByteBuffer.wrap(state);
        long events = b.getLong(0) + 1;
        for (int i = 8; i < state.length; i += 8) {
            if (b.getLong(i) == user) {
                // A new array: the cache holds the old one.
                return ByteBuffer.wrap(state.clone()).putLong(0, events).array();
            }
        }
        byte[] more = java.util.Arrays.copyOf(state, state.length + 8);
        ByteBuffer.wrap(more).putLong(0, events).putLong(state.length, user);
        return more;
    }

    /** Reads what the job needs by a streaming parser, and no more: an event of time 0 is not to be counted. */
    static final class Events implements Deserializer<Event> {
        private static final JsonFactory json = new JsonFactory();
        private static final Event other = new Event(0, 0);

        @Override
        public Event deserialize(String topic, byte[] value) {
            try (JsonParser p = json.createParser(value)) {
                boolean counted = false;
                long time = 0;
                long user = 0;
                p.nextToken();
                while (p.nextToken() == JsonToken.FIELD_NAME) {
                    String name = p.currentName();
                    p.nextToken();
                    switch (name) {
                        case "type" -> {
                            String type = p.getText();
                            counted = type.equals("track") || type.equals("page");
                            if (!counted) {
                                return other;
                            }
                        }
                        case "userId" -> user = hash(p);
                        case "timestamp" -> time = millis(p);
                        default -> p.skipChildren();
                    }
                }
                return counted ? new Event(time, user) : other;
            } catch (IOException e) {
                throw new SerializationException(e);
            }
        }

        /** FNV-1a of 64 bits. */
        private static long hash(JsonParser p) throws IOException {
            char[] text = p.getTextCharacters();
            long h = 0xcbf29ce484222325L;
            for (int i = p.getTextOffset(), end = i + p.getTextLength(); i < end; i++) {
                h = (h ^ text[i]) * 0x100000001b3L;
            }
            return h;
        }

        /** Of a time as the topic has it: 2006-01-02T15:04:05.000Z. */
        private static long millis(JsonParser p) throws IOException {
            char[] t = p.getTextCharacters();
            int o = p.getTextOffset();
            long y = digits(t, o, 4);
            long m = digits(t, o + 5, 2);
            long d = digits(t, o + 8, 2);
            y -= m <= 2 ? 1 : 0; // days from civil, as in Hinnant's chrono algorithms
            long era = y / 400;
            long yoe = y - era * 400;
            long doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
            long days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
            return ((days * 24 + digits(t, o + 11, 2)) * 60 + digits(t, o + 14, 2)) * 60_000 + digits(t, o + 17, 2) * 1000 + digits(t, o + 20, 3);
        }

        private static long digits(char[] t, int from, int n) {
            long v = 0;
            for (int i = from; i < from + n; i++) {
                v = v * 10 + t[i] - '0';
            }
            return v;
        }
    }
}
