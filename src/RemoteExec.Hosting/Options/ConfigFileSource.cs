using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Configuration.Json;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>
/// Options in a JSON file: one object whose keys are option names in kebab-case or PascalCase. Comments and
/// trailing commas are welcome; a list is an array, or a string with commas; "$schema" is for editors.
/// </summary>
internal static class ConfigFileSource
{
    // A file of options is a screenful. More is the wrong file, perhaps a blob.
    private const int FileBytesMax = 1 << 20;

    private static readonly OptionDeclaration Schema = new("$schema", "URL", null, "for editors");

    /// <summary>Null when it cannot be read.</summary>
    public static OptionSource? Read(string program, IReadOnlyList<OptionDeclaration> known, string path, List<string> errors)
    {
        try
        {
            if (new FileInfo(path).Length > FileBytesMax) throw new IOException($"it has more than {FileBytesMax} bytes, which no file of options has");

            byte[] json = File.ReadAllBytes(path);
            var keys = KeysOf(json);
            if (keys is null)
                errors.Add($"{path}: is not a JSON object; write {{ \"name\": \"value\", ... }}");
            else if (keys.GroupBy(key => NearestName.Normalise(key.Name)).FirstOrDefault(same => same.Count() > 1) is { } twice)
                errors.Add($"{path} line {twice.Last().Line}: '{twice.Last().Name}': is given twice; keep one");
            else
            {
                var lines = keys.ToDictionary(key => key.Name, key => $"{path} line {key.Line}");
                var provider = new JsonStreamConfigurationProvider(new JsonStreamConfigurationSource { Stream = new MemoryStream(json) });
                var source = new OptionSource(provider, origin: key => $"{PlaceOf(key)}: '{key}'", place: PlaceOf);
                errors.AddRange(source.Unknown(program, [.. known, Schema], option => option.Name, prefix: ""));
                return source;

                // A name with a colon in it comes as the part before.
                string PlaceOf(string key) => lines.GetValueOrDefault(key, path);
            }
        }
        catch (JsonException wrong)
        {
            errors.Add($"{path} line {wrong.LineNumber + 1}: is not JSON; correct it there or leave out --config");
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or ArgumentException)
        {
            errors.Add($"{path}: cannot be read ({refused.Message}); check --config");
        }

        return null;
    }

    /// <summary>The names in the outer object, each with its line, which the package does not tell; null when there is no object.</summary>
    /// <exception cref="JsonException">The text is not JSON.</exception>
    private static List<(string Name, int Line)>? KeysOf(ReadOnlySpan<byte> json)
    {
        // Some editors begin a file with the UTF-8 byte order mark, which JSON does not know.
        if (json.StartsWith(Encoding.UTF8.Preamble)) json = json[Encoding.UTF8.Preamble.Length..];
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) return null;

        var keys = new List<(string, int)>();
        // To the end, so that what follows the object is refused too.
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1)
                keys.Add((reader.GetString()!, json[..(int)reader.TokenStartIndex].Count((byte)'\n') + 1)); // a property name is a string
        }

        return keys;
    }
}
