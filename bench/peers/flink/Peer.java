import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * The job of the benchmark in Flink's DataStream API, in one process: events and distinct users of an account by minute of
 * event time, state in the heap with checkpoints, results to a topic. It reads to where the input ended at its start, and
 * says "finished" when all windows are out. Arguments: brokers, group, input topic, output topic, checkpoint directory.
 */
public final class Peer {
    public static void main(String[] args) throws Exception {
        int cores = Runtime.getRuntime().availableProcessors();
        Configuration settings = new Configuration();
        // Windows are few and small enough for the heap, the fastest of Flink's state backends.
        settings.setString("state.backend.type", "hashmap");
        settings.setString("execution.checkpointing.interval", "2 s");
        settings.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
        settings.setString("execution.checkpointing.storage", "filesystem");
        settings.setString("execution.checkpointing.dir", "file://" + args[4]);
        settings.setString("pipeline.object-reuse", "true"); // no copies between operators of one task
        settings.setString("pipeline.generic-types", "false"); // Kryo would be slow: fail if it were used
        settings.setString("taskmanager.memory.network.max", "256mb");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(cores, settings);

        KafkaSource<Tuple3<String, Long, Long>> source = KafkaSource.<Tuple3<String, Long, Long>>builder()
                .setBootstrapServers(args[0]).setGroupId(args[1]).setTopics(args[2])
                .setStartingOffsets(OffsetsInitializer.earliest()).setBounded(OffsetsInitializer.latest())
                .setDeserializer(new Events())
                .setProperty("max.poll.records", "10000").setProperty("max.partition.fetch.bytes", "4194304")
                .build();
        KafkaSink<Tuple2<String, String>> sink = KafkaSink.<Tuple2<String, String>>builder()
                .setBootstrapServers(args[0])
                .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE) // cheaper than transactions
                .setRecordSerializer((KafkaRecordSerializationSchema<Tuple2<String, String>>) (row, context, time) -> new ProducerRecord<>(
                        args[3], row.f0.getBytes(StandardCharsets.UTF_8), row.f1.getBytes(StandardCharsets.UTF_8)))
                .setProperty("compression.type", "lz4").setProperty("linger.ms", "100").setProperty("batch.size", "524288")
                .build();
        env.fromSource(source, WatermarkStrategy.<Tuple3<String, Long, Long>>forBoundedOutOfOrderness(Duration.ofMinutes(5))
                        .withTimestampAssigner((event, time) -> event.f1), "telemetry")
                .keyBy(event -> event.f0, Types.STRING)
                .window(TumblingEventTimeWindows.of(Duration.ofMinutes(1)))
                .allowedLateness(Duration.ofHours(4))
                .aggregate(new Count(), new Name(), Types.POJO(State.class), Types.POJO(State.class), Types.TUPLE(Types.STRING, Types.STRING))
                .sinkTo(sink);
        env.execute("minutes");
        System.out.println("finished");
    }

    /** A window of an account: how many events, and who. */
    public static final class State {
        public long events;
        public int n;
        public long[] users = new long[4];
    }

    static final class Count implements AggregateFunction<Tuple3<String, Long, Long>, State, State> {
        @Override
        public State createAccumulator() {
            return new State();
        }

        @Override
        public State add(Tuple3<String, Long, Long> event, State s) {
            s.events++;
            long user = event.f2;
            for (int i = 0; i < s.n; i++) { // a window has few users: searching them beats any table
                if (s.users[i] == user) {
                    return s;
                }
            }
            if (s.n == s.users.length) {
                s.users = Arrays.copyOf(s.users, 2 * s.n);
            }
            s.users[s.n++] = user;
            return s;
        }

        @Override
        public State getResult(State s) {
            return s;
        }

        @Override
        public State merge(State a, State b) {
            throw new UnsupportedOperationException("tumbling windows do not merge");
        }
    }

    static final class Name extends ProcessWindowFunction<State, Tuple2<String, String>, String, TimeWindow> {
        @Override
        public void process(String account, Context context, Iterable<State> states, Collector<Tuple2<String, String>> out) {
            State s = states.iterator().next();
            out.collect(Tuple2.of(account + "|" + context.window().getStart(), s.events + "|" + s.n));
        }
    }

    /** Reads what the job needs by a streaming parser, and no more: account, time and a hash of the user. */
    static final class Events implements KafkaRecordDeserializationSchema<Tuple3<String, Long, Long>> {
        private static final JsonFactory json = new JsonFactory();

        @Override
        public TypeInformation<Tuple3<String, Long, Long>> getProducedType() {
            return Types.TUPLE(Types.STRING, Types.LONG, Types.LONG);
        }

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple3<String, Long, Long>> out) throws IOException {
            try (JsonParser p = json.createParser(record.value())) {
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
                                return;
                            }
                        }
                        case "userId" -> user = hash(p);
                        case "timestamp" -> time = millis(p);
                        default -> p.skipChildren();
                    }
                }
                if (counted) {
                    out.collect(Tuple3.of(new String(record.key(), StandardCharsets.ISO_8859_1), time, user));
                }
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
