using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>The system's libzstd; names and numbers from zstd.h, all of its stable part (≥ 1.4).</summary>
internal static partial class ZstdNative
{
    public const string Library = "libzstd.so.1";

    public const int CompressionLevel = 100; // ZSTD_c_compressionLevel
    public const int WindowLogMax = 100; // ZSTD_d_windowLogMax
    public const int ResetSession = 1; // ZSTD_reset_session_only
    public const int Continue = 0; // ZSTD_e_continue
    public const int End = 2; // ZSTD_e_end

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    public static partial DecoderHandle CreateDecoder();

    [LibraryImport(Library, EntryPoint = "ZSTD_DCtx_setParameter")]
    public static partial nuint SetParameter(DecoderHandle decoder, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_DCtx_reset")]
    public static partial nuint Reset(DecoderHandle decoder, int directive);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressStream")]
    public static partial nuint Decompress(DecoderHandle decoder, ref OutBuffer output, ref InBuffer input);

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    public static partial EncoderHandle CreateEncoder();

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    public static partial nuint SetParameter(EncoderHandle encoder, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setPledgedSrcSize")]
    public static partial nuint PledgeSize(EncoderHandle encoder, ulong sizeBytes);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_reset")]
    public static partial nuint Reset(EncoderHandle encoder, int directive);

    [LibraryImport(Library, EntryPoint = "ZSTD_compressStream2")]
    public static partial nuint Compress(EncoderHandle encoder, ref OutBuffer output, ref InBuffer input, int end);

    [LibraryImport(Library, EntryPoint = "ZSTD_compressBound")]
    public static partial nuint CompressBound(nuint sizeBytes);

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    public static partial uint IsError(nuint result);

    public static string NameOfError(nuint result) => Marshal.PtrToStringUTF8(ErrorName(result)) ?? "unknown error";

    [LibraryImport(Library, EntryPoint = "ZSTD_getErrorName")]
    private static partial nint ErrorName(nuint result);

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    private static partial nuint FreeDecoder(nint decoder);

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    private static partial nuint FreeEncoder(nint encoder);

    /// <summary>ZSTD_inBuffer.</summary>
    public unsafe struct InBuffer
    {
        public byte* Source;
        public nuint Size;
        public nuint Position;
    }

    /// <summary>ZSTD_outBuffer.</summary>
    public unsafe struct OutBuffer
    {
        public byte* Destination;
        public nuint Size;
        public nuint Position;
    }

    public sealed class DecoderHandle() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
    {
        protected override bool ReleaseHandle() => FreeDecoder(handle) == 0;
    }

    public sealed class EncoderHandle() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
    {
        protected override bool ReleaseHandle() => FreeEncoder(handle) == 0;
    }
}
