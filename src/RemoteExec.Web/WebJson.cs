using System.Text.Json.Serialization;

namespace RemoteExec.Web;

/// <summary>The shapes of the JSON API, compiled: reflection would cost start-up time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StatusView))]
[JsonSerializable(typeof(ActionView))]
[JsonSerializable(typeof(ErrorView))]
internal sealed partial class WebJson : JsonSerializerContext;
