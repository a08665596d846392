using System.Text;

namespace RemoteExec.Worker;

/// <summary>
/// Names as they may appear in messages: an action chooses its file names, so control characters are
/// escaped and long names cut before they reach a terminal or a log.
/// </summary>
internal static class Printable
{
    private const int CharactersMax = 200;

    public static string Quote(string name)
    {
        var text = new StringBuilder(name.Length + 2).Append('"');
        foreach (char character in name)
        {
            if (text.Length > CharactersMax)
            {
                text.Append('…');
                break;
            }
            if (char.IsControl(character) || character is '"' or '\\')
                text.Append("\\u").Append(((int)character).ToString("x4", null));
            else
                text.Append(character);
        }
        return text.Append('"').ToString();
    }
}
