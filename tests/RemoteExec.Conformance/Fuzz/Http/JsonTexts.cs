using Google.Protobuf.Reflection;

namespace RemoteExec.Conformance;

/// <summary>Values as they stand in JSON, right and wrong, by what a field is.</summary>
internal static class JsonTexts
{
    public static readonly string[] Unknown = ["noSuchField", "", " ", "@type", "instance_Name", "__proto__", "a.b", "digest_function\\u0000", "\u00e9"];

    public static readonly string[] OfAnything =
        ["null", "true", "0", "-1", "\"\"", "\"x\"", "[]", "{}", "[[]]", "[null]", "{\"a\":{}}", "1e999", "NaN", "-Infinity", "01", "+1", ".5", "0x10", "\"\\ud800\"", "\"\\u0000\"", "'x'", "undefined", "\"\n\""];

    private static readonly string[] Integers =
    [
        "1", "\"1\"", "\"-1\"", "9223372036854775807", "\"9223372036854775807\"", "9223372036854775808", "\"-9223372036854775809\"", "1.0", "1.5", "\"1.0\"", "1e3", "\"1e3\"", "1E400", "-0", "\"-0\"", "\" 1\"",
        "\"1 \"", "\"0x1\"", "\"\\u0661\"", "2147483648", "4294967296", "\"NaN\"", "1e-1", "100000000000000000000000000000000000000000",
    ];

    private static readonly string[] Booleans = ["true", "false", "\"true\"", "1", "\"yes\"", "TRUE"];

    private static readonly string[] Enums = ["\"NO_SUCH\"", "99", "-1", "\"sha256\"", "\"1\"", "2147483648", "1", "9", "10", "\"SHA256\"", "\"BLAKE3\"", "\"ZSTD\"", "\"REP_MAX_CDC\"", "1.5", "\"UNKNOWN\""];

    private static readonly string[] Bytes = ["\"\"", "\"YQ==\"", "\"YQ\"", "\"YQ=\"", "\"Y\"", "\"-_-_\"", "\"+/+/\"", "\"YWJj\\nYWJj\"", "\"====\"", "\"!!!!\"", "\"\u00e9\u00e9\u00e9\u00e9\"", "\"KLUv/QBYAAA=\""];

    private static readonly string[] Durations =
    [
        "\"1s\"", "\"-1s\"", "\"1.5s\"", "\"0.001s\"", "\"1.0000000001s\"", "\"315576000001s\"", "\"-315576000001s\"", "\"99999999999999999999s\"", "\"s\"", "\"1\"", "1", "\"1e3s\"", "{\"seconds\":1}", "\"1.s\"", "\".5s\"", "\"-0.5s\"",
    ];

    private static readonly string[] Timestamps =
    [
        "\"1970-01-01T00:00:00Z\"", "\"2030-01-01T00:00:00.123456789Z\"", "\"0000-00-00T00:00:00Z\"", "\"9999-12-31T23:59:59.999999999Z\"", "\"10000-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00+23:59\"", "\"2030-01-01\"",
        "\"2030-02-30T00:00:00Z\"", "\"2030-01-01T25:00:00Z\"", "\"2030-01-01T00:00:00+99:00\"", "\"2030-01-01t00:00:00z\"", "1",
    ];

    private static readonly string[] Anys =
    [
        "{\"@type\":\"type.googleapis.com/google.rpc.Status\",\"code\":1}", "{\"@type\":\"type.googleapis.com/no.Such\",\"value\":{}}", "{\"@type\":\"\"}", "{\"@type\":1}", "{\"@type\":\"x/y/z\"}",
        "{\"@type\":\"type.googleapis.com/google.protobuf.Any\",\"value\":{\"@type\":\"type.googleapis.com/google.protobuf.Any\"}}", "{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"1s\"}",
        "{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":1}", "{\"value\":\"\"}",
    ];

    private static readonly string[] Messages = ["{}", "null", "[]", "\"\"", "{\"hash\":\"\"}", "{\"hash\":\"\",\"sizeBytes\":\"0\"}", "{\"sizeBytes\":-1}", "{\"hash\":1}", "{\"hash\":\"x\",\"hash\":\"y\"}", "{\"name\":\"..\"}"];

    private static readonly string[] Texts =
    [
        "\"\"", "\" \"", "\"/\"", "\"..\"", "\"../../etc/passwd\"", "\"a//b\"", "\"a/\"", "\"\\u0000\"", "\"a\\nb\"", "\"\\r\\n\\r\\n\"", "\"\u00e9\"", "\"\\u2028\"", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\"%s%n\"", "\"{0}\"",
        "\"blobs\"", "\"operations/1\"", "\"http://[::1]/\"", "\"file:///etc/passwd\"", "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", "\"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\"",
        $"\"{new string('a', 70_000)}\"",
    ];

    public static IReadOnlyList<string> For(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Bool => Booleans,
        FieldType.String => Texts,
        FieldType.Bytes => Bytes,
        FieldType.Enum => Enums,
        FieldType.Message => field.MessageType.FullName switch
        {
            "google.protobuf.Duration" => Durations,
            "google.protobuf.Timestamp" => Timestamps,
            "google.protobuf.Any" => Anys,
            _ => Messages,
        },
        _ => Integers,
    };
}
