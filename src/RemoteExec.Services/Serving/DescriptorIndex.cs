using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace RemoteExec.Services;

/// <summary>Finds descriptor files by name and by the symbols declared in them.</summary>
internal sealed class DescriptorIndex
{
    private readonly Dictionary<string, FileDescriptor> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, FileDescriptor> _symbols = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SortedDictionary<int, FileDescriptor>> _extensions = new(StringComparer.Ordinal);

    public DescriptorIndex(IReadOnlyList<ServiceDescriptor> services)
    {
        Services = [.. services.Select(service => service.FullName).Order(StringComparer.Ordinal)];
        foreach (var service in services)
            AddFile(service.File);
    }

    /// <summary>Full names of the services offered, sorted.</summary>
    public IReadOnlyList<string> Services { get; }

    public FileDescriptor? FindFile(string name) => _files.GetValueOrDefault(name);

    public FileDescriptor? FindSymbol(string fullName) => _symbols.GetValueOrDefault(fullName);

    public FileDescriptor? FindExtension(string containingType, int number) =>
        _extensions.GetValueOrDefault(containingType)?.GetValueOrDefault(number);

    /// <summary>Numbers of the known extensions of a message; null when the message itself is not known.</summary>
    public IReadOnlyCollection<int>? FindExtensionNumbers(string type) =>
        _extensions.TryGetValue(type, out var numbers) ? numbers.Keys : _symbols.ContainsKey(type) ? [] : null;

    /// <summary>The file and everything it imports, each once, imports behind their importers.</summary>
    public static IReadOnlyList<ByteString> Closure(FileDescriptor root)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal) { root.Name };
        var files = new List<FileDescriptor> { root };
        for (int i = 0; i < files.Count; i++)
            files.AddRange(files[i].Dependencies.Where(import => seen.Add(import.Name)));
        return [.. files.Select(file => file.SerializedData)];
    }

    private void AddFile(FileDescriptor file)
    {
        if (!_files.TryAdd(file.Name, file)) return;

        foreach (var import in file.Dependencies) AddFile(import);
        foreach (var message in file.MessageTypes) AddMessage(message);
        foreach (var @enum in file.EnumTypes) AddEnum(@enum);
        foreach (var extension in file.Extensions.UnorderedExtensions) AddExtension(extension, file);
        foreach (var service in file.Services)
        {
            _symbols[service.FullName] = file;
            foreach (var method in service.Methods) _symbols[method.FullName] = file;
        }
    }

    private void AddMessage(MessageDescriptor message)
    {
        _symbols[message.FullName] = message.File;
        foreach (var field in message.Fields.InDeclarationOrder()) _symbols[field.FullName] = message.File;
        foreach (var oneof in message.Oneofs) _symbols[oneof.FullName] = message.File;
        foreach (var nested in message.NestedTypes) AddMessage(nested);
        foreach (var @enum in message.EnumTypes) AddEnum(@enum);
        foreach (var extension in message.Extensions.UnorderedExtensions) AddExtension(extension, message.File);
    }

    private void AddEnum(EnumDescriptor @enum)
    {
        _symbols[@enum.FullName] = @enum.File;
        foreach (var value in @enum.Values) _symbols[value.FullName] = @enum.File;
    }

    private void AddExtension(FieldDescriptor extension, FileDescriptor file)
    {
        _symbols[extension.FullName] = file;
        string type = extension.ExtendeeType.FullName;
        if (!_extensions.TryGetValue(type, out var numbers)) _extensions[type] = numbers = [];
        numbers[extension.FieldNumber] = file;
    }
}
