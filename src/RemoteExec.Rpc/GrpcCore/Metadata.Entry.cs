using System.Buffers;
using System.Text;

namespace Grpc.Core;

public sealed partial class Metadata
{
    /// <summary>One name and its value. The constructor refuses what could not travel.</summary>
    public sealed class Entry
    {
        // gRPC over HTTP/2, "Header-Name": 1*( %x30-39 / %x61-7A / "_" / "-" / ".").
        private static readonly SearchValues<char> NameCharacters =
            SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyz_-.");

        private readonly string? _text;
        private readonly byte[]? _bytes;

        public Entry(string key, string value)
        {
            Key = NormalizeKey(key);
            if (IsBinary) throw new ArgumentException($"the value of \"{key}\" must be bytes", nameof(value));
            // "ASCII-Value": 1*( %x20-%x7E ). Anything else could split or spoil a header.
            if (value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
                throw new ArgumentException($"the value of \"{key}\" must be printable ASCII", nameof(value));
            _text = value;
        }

        public Entry(string key, byte[] valueBytes)
        {
            Key = NormalizeKey(key);
            if (!IsBinary)
                throw new ArgumentException($"the name \"{key}\" must end in {BinaryHeaderSuffix}", nameof(key));
            _bytes = valueBytes;
        }

        private Entry(string key, string value, bool wasReceived)
        {
            Key = key;
            _text = value;
        }

        public string Key { get; }

        public bool IsBinary => Key.EndsWith(BinaryHeaderSuffix, StringComparison.Ordinal);

        public string Value => _text ?? throw new InvalidOperationException($"\"{Key}\" holds bytes, not text");

        public byte[] ValueBytes => _bytes ?? Encoding.ASCII.GetBytes(_text!); // one of the two is always set

        public override string ToString() =>
            IsBinary ? $"[Entry: key={Key}, {_bytes!.Length} bytes]" : $"[Entry: key={Key}, value={_text}]";

        /// <summary>What a peer sent is taken as it is: the transport has refused what HTTP/2 forbids.</summary>
        internal static Entry Received(string key, string value) => new(key, value, wasReceived: true);

        private static string NormalizeKey(string key)
        {
            string lower = key.ToLowerInvariant();
            if (lower.Length == 0 || lower.AsSpan().ContainsAnyExcept(NameCharacters))
                throw new ArgumentException($"\"{key}\" is not a metadata name", nameof(key));
            return lower;
        }
    }
}
