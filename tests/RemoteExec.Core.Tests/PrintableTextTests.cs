using System.Text;
using NUnit.Framework;

namespace RemoteExec.Core.Tests;

public sealed class PrintableTextTests
{
    [TestCase("", "")]
    [TestCase("//a:b (ok) ~", "//a:b (ok) ~")]
    [TestCase("für 字 😀", "für 字 😀")]
    [TestCase("a\nb\u001b[31m\0\u007f\u0085", "a\\u000ab\\u001b[31m\\u0000\\u007f\\u0085")]
    [TestCase("\u2028\u2029", "\\u2028\\u2029")]
    public void What_is_not_printable_is_escaped_and_all_else_stays(string text, string expected) =>
        Assert.That(PrintableText.Escape(text, 1000), Is.EqualTo(expected));

    private static IEnumerable<string> FormatCharacters() =>
        ["\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069", "\u200e", "\u200f", "\u061c", "\u200b", "\ufeff", "\u00ad", "\U000E0001", "\U000E0041"];

    [TestCaseSource(nameof(FormatCharacters))] // "trojan source": the eye reads another line than the machine
    public void Nothing_that_turns_or_hides_text_comes_through(string character)
    {
        string text = $"//safe:{character}lib";

        Assert.That(PrintableText.Blank(text, 100), Is.EqualTo("//safe: lib"));
        Assert.That(PrintableText.Escape(text, 100), Does.Match(@"^//safe:\\(u[0-9a-f]{4}|U[0-9a-f]{8})lib$"));
        Assert.That(PrintableText.Quote(text, 100), Does.Not.Contain(character));
    }

    [Test]
    public void Quotes_cannot_be_left() =>
        Assert.That(PrintableText.Quote("a\" b\\u0000 \n", 100), Is.EqualTo("\"a\\\" b\\\\u0000 \\u000a\""));

    [Test]
    public void Half_of_a_pair_is_shown_as_what_it_is() => Assert.That(PrintableText.Escape("a\ud83d", 100), Is.EqualTo("a\ufffd"));

    [TestCase("abcdef", 5, "abcde…")]
    [TestCase("abcde", 5, "abcde")]
    [TestCase("字字字", 8, "字字…")]
    [TestCase("abc😀", 6, "abc…")]
    [TestCase("ab\n", 7, "ab…")]
    [TestCase("ab\n", 8, "ab\\u000a")]
    public void A_length_is_in_bytes_and_no_character_is_cut_in_two(string text, int bytesMax, string expected) =>
        Assert.That(PrintableText.Escape(text, bytesMax), Is.EqualTo(expected));

    [Test]
    public void Whatever_comes_the_answer_is_printable_and_no_longer_than_allowed()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int i = 0; i < 10_000; i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => (char)random.Next(char.MaxValue + 1)));
            int bytesMax = random.Next(60);
            foreach (string shown in (string[])[PrintableText.Blank(text, bytesMax), PrintableText.Escape(text, bytesMax), PrintableText.Quote(text, bytesMax)])
            {
                Assert.That(Encoding.UTF8.GetByteCount(shown), Is.LessThanOrEqualTo(bytesMax + "\"…\"".Length + 2), $"seed {seed}");
                Assert.That(PrintableText.Escape(shown, 1000), Is.EqualTo(shown), $"seed {seed}");
            }
        }
    }
}
