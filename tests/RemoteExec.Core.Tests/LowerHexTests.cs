using System.Text;
using NUnit.Framework;

namespace RemoteExec.Core.Tests;

/// <summary>Hexadecimal as REAPI has it, whichever way of reading it a length takes.</summary>
public sealed class LowerHexTests
{
    private static readonly int[] Lengths = [0, 1, 15, 16, 17, 20, 32, 48, 64];

    [Test]
    public void What_is_written_is_read([ValueSource(nameof(Lengths))] int length)
    {
        byte[] bytes = new byte[length], read = new byte[length];
        var random = new Random(length);
        for (int i = 0; i < 200; i++)
        {
            random.NextBytes(bytes);
            Assert.That(LowerHex.TryDecode(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(bytes)), read), Is.True);
            Assert.That(read, Is.EqualTo(bytes));
        }
    }

    [Test]
    public void Every_other_character_is_refused_wherever_it_stands([ValueSource(nameof(Lengths))] int length)
    {
        byte[] text = Encoding.ASCII.GetBytes(new string('a', 2 * length)), read = new byte[length];
        for (int place = 0; place < text.Length; place++)
        {
            for (int character = 0; character <= byte.MaxValue; character++)
            {
                text[place] = (byte)character;
                bool isHex = character is (>= '0' and <= '9') or (>= 'a' and <= 'f');
                Assert.That(LowerHex.TryDecode(text, read), Is.EqualTo(isHex), $"{character} at {place}");
            }

            text[place] = (byte)'a';
        }
    }
}
