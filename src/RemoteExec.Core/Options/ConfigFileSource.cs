using System.Text;
using System.Text.Json;

namespace RemoteExec.Core;

/// <summary>
/// Options in a JSON file: one object whose keys are option names in kebab-case or PascalCase. Comments and
/// trailing commas are welcome; a list is an array, or a string with commas; "$schema" is for editors.
/// </summary>
internal static class ConfigFileSource
{
    // A file of options is a screenful. More is the wrong file, perhaps a blob.
    private const int FileBytesMax = 1 << 20;

    public static Dictionary<string, OptionSetting> Read(
        string program, IReadOnlyList<OptionDeclaration> declarations, string? path, List<string> errors)
    {
        var settings = new Dictionary<string, OptionSetting>();
        if (path is null) return settings;

        try
        {
            if (new FileInfo(path).Length > FileBytesMax)
                errors.Add($"{path}: has more than {FileBytesMax} bytes, which no file of options has; check --config");
            else
                ReadObject(program, declarations, path, File.ReadAllBytes(path), settings, errors);
        }
        catch (JsonException wrong)
        {
            errors.Add($"{path} line {wrong.LineNumber + 1}: is not JSON; correct it there or leave out --config");
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or ArgumentException)
        {
            errors.Add($"{path}: cannot be read ({refused.Message}); check --config");
        }

        return settings;
    }

    private static void ReadObject(
        string program, IReadOnlyList<OptionDeclaration> declarations, string path, byte[] json,
        Dictionary<string, OptionSetting> settings, List<string> errors)
    {
        var reader = new Utf8JsonReader(
            WithoutMark(json), new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            errors.Add($"{path}: is not a JSON object; write {{ \"name\": \"value\", ... }}");
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!; // a property name is a string
            string origin = $"{path} line {LineOf(json, reader.TokenStartIndex)}: '{key}'";
            reader.Read();
            var values = ReadValues(ref reader);

            if (key == "$schema") continue;
            if (declarations.FirstOrDefault(option => IsKeyOf(key, option)) is not { } declaration)
            {
                string suggestion = NearestName.Suggestion(key, declarations.Select(option => option.Name));
                errors.Add($"{origin}: {program} has no such option.{suggestion} See {program} --help");
            }
            else if (values is null)
                errors.Add($"{origin}: is an object or null; write {(declaration.Repeats ? "a list of texts" : "a text")}, or leave it out");
            else if (!settings.TryAdd(declaration.Name, new OptionSetting(origin, values)))
                errors.Add($"{origin}: is given twice; keep one");
        }

        // Reads on to the end, so that what follows the object is refused by the reader itself.
        while (reader.Read())
        {
        }
    }

    private static bool IsKeyOf(string key, OptionDeclaration option) =>
        NearestName.Normalise(key) == NearestName.Normalise(option.Name)
        && option.Name is not (OptionReader.Config or OptionReader.Help);

    /// <summary>The texts at the reader's place; null for what no option can be.</summary>
    private static List<string>? ReadValues(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray) return ReadText(ref reader) is { } text ? [text] : null;

        var values = new List<string>();
        bool areTexts = true;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (ReadText(ref reader) is { } item) values.Add(item);
            else areTexts = false;
        }

        return areTexts ? values : null;
    }

    private static string? ReadText(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return reader.GetString();
            case JsonTokenType.Number:
            case JsonTokenType.True:
            case JsonTokenType.False:
                return Encoding.UTF8.GetString(reader.ValueSpan);
            default:
                reader.Skip();
                return null;
        }
    }

    // Some editors begin a file with the UTF-8 byte order mark, which JSON does not know.
    private static ReadOnlySpan<byte> WithoutMark(byte[] json) =>
        json.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? json.AsSpan(Encoding.UTF8.Preamble.Length) : json;

    private static int LineOf(byte[] json, long position) => WithoutMark(json)[..(int)position].Count((byte)'\n') + 1;
}
