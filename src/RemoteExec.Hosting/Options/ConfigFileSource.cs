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

    /// <summary>Null when nothing can be read there.</summary>
    public static OptionSource? Read(string program, IReadOnlyList<OptionDeclaration> declarations, string path, List<string> errors)
    {
        try
        {
            if (new FileInfo(path).Length > FileBytesMax)
            {
                errors.Add($"{path}: has more than {FileBytesMax} bytes, which no file of options has; check --config");
                return null;
            }

            byte[] json = File.ReadAllBytes(path);
            var lines = LinesOfKeys(json);
            if (lines is null)
                errors.Add($"{path}: is not a JSON object; write {{ \"name\": \"value\", ... }}");
            else if (Check(program, declarations, path, lines, errors))
                return Load(path, json, lines.ToDictionary(pair => pair.Key, pair => pair.Line, StringComparer.OrdinalIgnoreCase));
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

    private static OptionSource Load(string path, byte[] json, Dictionary<string, int> lines)
    {
        var provider = new JsonStreamConfigurationProvider(new JsonStreamConfigurationSource { Stream = new MemoryStream(json) });
        return new OptionSource(provider, key => Origin(path, lines[key], key), key => $"{path} line {lines[key]}");
    }

    private static string Origin(string path, int line, string key) => $"{path} line {line}: '{key}'";

    /// <summary>Whether the file can be loaded: the package refuses a key that is there twice without saying where.</summary>
    private static bool Check(
        string program, IReadOnlyList<OptionDeclaration> declarations, string path, List<(string Key, int Line)> lines, List<string> errors)
    {
        var known = declarations.Where(option => !OptionReader.IsCommand(option) && option.Name != OptionReader.Config).ToList();
        var seen = new HashSet<string>();
        bool isTwice = false;
        foreach (var (key, line) in lines)
        {
            if (!seen.Add(NearestName.Normalise(key)))
            {
                errors.Add($"{Origin(path, line, key)}: is given twice; keep one");
                isTwice = true;
            }
            else if (key != "$schema" && !known.Exists(option => OptionSource.IsKeyOf(key, option)))
            {
                string suggestion = NearestName.Suggestion(key, known.Select(option => option.Name));
                errors.Add($"{Origin(path, line, key)}: {program} has no such option.{suggestion} See {program} --help");
            }
        }

        return !isTwice;
    }

    /// <summary>The keys of the outer object, each with its line; null when there is no object.</summary>
    /// <exception cref="JsonException">The text is not JSON.</exception>
    private static List<(string Key, int Line)>? LinesOfKeys(ReadOnlySpan<byte> json)
    {
        // Some editors begin a file with the UTF-8 byte order mark, which JSON does not know.
        if (json.StartsWith(Encoding.UTF8.Preamble)) json = json[Encoding.UTF8.Preamble.Length..];
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        reader.Read();
        bool isObject = reader.TokenType == JsonTokenType.StartObject;
        var keys = new List<(string, int)>();
        // To the end, so that what follows the object is refused too.
        while (reader.Read())
        {
            if (isObject && reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1)
                keys.Add((reader.GetString()!, json[..(int)reader.TokenStartIndex].Count((byte)'\n') + 1)); // a property name is a string
        }

        return isObject ? keys : null;
    }
}
