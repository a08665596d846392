namespace RemoteExec.EndToEnd;

/// <summary>A way to alter an input, and what a linked one answers: several where it depends on the kernel's settings.</summary>
internal sealed record TamperAttempt(string How, params string[] Answers)
{
    // What only concerns the action's own names, or a copy of its own, is its right.
    public static List<TamperAttempt> All { get; } =
    [
        new("write", "EACCES"), new("read and write", "EACCES"), new("append", "EACCES"), new("direct", "EACCES"),
        new("open and truncate", "EACCES"), new("create over", "EACCES"), new("truncate", "EACCES"), new("ftruncate", "EINVAL"),
        new("map shared", "EACCES"), new("map, then protect", "EACCES"), new("map private", "ok"),
        new("own memory, shared", "EIO"), new("own memory, private", "ok"), new("remove pages", "EACCES"),
        new("chmod, then write", "EPERM"), new("fchmod", "EPERM"), new("fchmodat2", "ENOSYS"), new("chmod a descriptor", "EPERM"),
        new("chown", "EPERM"), new("chgrp", "EPERM"), new("times", "EPERM"), new("touch", "EACCES"),
        new("rename over", "ok"), new("exchange", "EACCES"), new("unlink and make", "ok"), new("rename away", "EACCES"),
        new("link, then write", "EPERM"), new("link from a descriptor", "EPERM", "EACCES"), new("symlink", "EACCES"),
        new("long way", "EACCES"), new("parent's way", "EACCES"), new("reopen", "EACCES"), new("reopen a path", "EACCES"),
        new("fallocate", "EBADF"), new("punch hole", "EBADF"), new("zero range", "EBADF"), new("collapse range", "EBADF"),
        new("copy_file_range", "EBADF"), new("sendfile", "EBADF"), new("splice", "EBADF"), new("clone extents", "EBADF", "EOPNOTSUPP"),
        new("attribute", "EACCES"), new("access list", "EPERM"), new("capability", "EPERM"), new("flags", "EPERM"), new("project", "EPERM"),
        new("lease", "EACCES"), new("lock", "ok"), new("handle", "EPERM"), new("background", "ok"),
        new("output as it is", "ok"), new("output, replaced", "ok"), new("output by rename", "ok"), new("output by link", "ok", "EPERM"),
        new("output by symlink", "ok"),
    ];

    public override string ToString() => How;
}
