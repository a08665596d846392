/*
 * mount_namespaces(7): what an action sees of the machine. The part that is the same for all actions is built once, as
 * a template, in the launcher's own mount namespace; each action adds its own mounts to a copy and pivots into it.
 * Every mount is made and placed by descriptor before anything untrusted runs (TRUST 4.6: CVE-2021-30465 and its kin).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "launcher.h"

/*
 * Where the template hangs in the launcher's own namespace: a directory that every Linux has, that no action may see,
 * and that the launcher itself no longer needs once its cgroups are open.
 */
#define TEMPLATE "/sys"

enum { SAFE = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };

static int new_filesystem(const char *type, const char *const options[][2], unsigned attributes)
{
    auto_close int context = fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    for (; options && (*options)[0]; options++)
        if ((*options)[1] && fsconfig(context, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0) < 0)
            return -1;
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    return fsmount(context, FSMOUNT_CLOEXEC, attributes);
}

/* A second mount of what is at the path, not yet placed anywhere. */
static int copy_mount(int at, const char *path, unsigned attributes)
{
    auto_close int mount = open_tree(at, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    struct mount_attr change = { .attr_set = attributes, .propagation = MS_PRIVATE };
    if (mount < 0 || mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &change, sizeof change) < 0)
        return -1;
    int kept = mount;
    mount = -1;
    return kept;
}

static bool place(int mount, int at, const char *path)
{
    return mount >= 0 && move_mount(mount, "", at, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

static bool make_directory(int at, const char *path, mode_t mode)
{
    return mkdirat(at, path, mode) == 0 || errno == EEXIST;
}

static bool make_file(int at, const char *path)
{
    auto_close int file = openat(at, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    return file >= 0;
}

static bool make_parents(int at, const char *path)
{
    char parent[PATH_MAX];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        int bytes = snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
        if (bytes < 0 || bytes >= (int)sizeof parent || !make_directory(at, parent, 0755))
            return false;
    }
    return true;
}

/* A link stays a link: /bin -> usr/bin must not become a second copy of it. Absent is fine: not all have /lib32. */
static bool add_system_path(int root, const char *path)
{
    const char *inside = path + strspn(path, "/");
    char target[PATH_MAX];
    struct stat status;
    if (lstat(path, &status) < 0)
        return errno == ENOENT;
    if (!make_parents(root, inside))
        return false;
    if (S_ISLNK(status.st_mode)) {
        ssize_t bytes = readlink(path, target, sizeof target - 1);
        if (bytes < 0)
            return false;
        target[bytes] = 0;
        return symlinkat(target, root, inside) == 0;
    }
    if (!(S_ISDIR(status.st_mode) ? make_directory(root, inside, 0755) : make_file(root, inside)))
        return false;
    auto_close int mount = copy_mount(AT_FDCWD, path, SAFE | MOUNT_ATTR_RDONLY);
    return place(mount, root, inside);
}

static bool add_system_paths(const struct config *config, int root)
{
    for (unsigned i = 0; i < config->system_path_count; i++)
        if (!add_system_path(root, config->system_paths[i]))
            return false;
    return true;
}

/* The host's own nodes, because a user namespace cannot make any; no terminal, no ptmx. */
static bool add_devices(const struct config *config, int root)
{
    static const struct { const char *host, *inside; } devices[] = {
        { "/dev/null", "dev/null" },     { "/dev/zero", "dev/zero" },       { "/dev/full", "dev/full" },
        { "/dev/random", "dev/random" }, { "/dev/urandom", "dev/urandom" },
    };
    static const struct { const char *target, *path; } links[] = {
        { "/proc/self/fd", "dev/fd" },
        { "/proc/self/fd/0", "dev/stdin" },
        { "/proc/self/fd/1", "dev/stdout" },
        { "/proc/self/fd/2", "dev/stderr" },
    };
    if (!make_directory(root, "dev", 0755) || !make_directory(root, "dev/shm", 01777))
        return false;
    for (size_t i = 0; i < COUNT(devices); i++) {
        auto_close int mount = copy_mount(AT_FDCWD, devices[i].host, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        struct stat status;
        if (mount < 0 || fstat(mount, &status) < 0)
            return false;
        if (!S_ISCHR(status.st_mode)) {
            errno = ENODEV;
            return false;
        }
        if (!make_file(root, devices[i].inside) || !place(mount, root, devices[i].inside))
            return false;
    }
    for (size_t i = 0; i < COUNT(links); i++)
        if (symlinkat(links[i].target, root, links[i].path) < 0)
            return false;
    return true;
}

/* Mount points of what each action brings along, and names that programs expect to exist. */
static bool add_places(const struct config *config, int root)
{
    static const char *const places[] = { "build", "proc", "sys", "tmp", "run", "var" };
    for (size_t i = 0; i < COUNT(places); i++)
        if (!make_directory(root, places[i], 0755))
            return false;
    return symlinkat("../tmp", root, "var/tmp") == 0;
}

static bool seal(const struct config *config, int root)
{
    struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };
    return mount_setattr(root, "", AT_EMPTY_PATH, &read_only, sizeof read_only) == 0;
}

bool build_template(const struct config *config, const char **step)
{
    static const char *const options[][2] = { { "mode", "0755" }, { "size", "1m" }, { NULL, NULL } };
    static const struct {
        const char *name;
        bool (*run)(const struct config *, int root);
    } steps[] = {
        { "system paths", add_system_paths },
        { "devices", add_devices },
        { "mount points", add_places },
        { "sealing the template", seal },
    };

    mode_t mask = umask(0);
    *step = "template";
    auto_close int root = new_filesystem("tmpfs", options, SAFE);
    bool done = place(root, AT_FDCWD, TEMPLATE);
    for (size_t i = 0; done && i < COUNT(steps); i++) {
        *step = steps[i].name;
        done = steps[i].run(config, root);
    }
    umask(mask);
    return done;
}

/* By the launcher, which may search every directory on the way; the mount it hands on is all an action gets. */
int open_input_root(const char *path)
{
    auto_close int directory = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return directory < 0 ? -1 : copy_mount(directory, ".", SAFE);
}

static bool add_scratch(int root, const char *path, uint64_t bytes)
{
    char size[32], inodes[32];
    const char *const options[][2] = {
        { "mode", "1777" }, { "size", bytes ? size : NULL }, { "nr_inodes", bytes ? inodes : NULL }, { NULL, NULL },
    };
    snprintf(size, sizeof size, "%llu", (unsigned long long)bytes);
    /* An empty file takes the kernel about a kilobyte, which the size does not count: at most as many as pages. */
    snprintf(inodes, sizeof inodes, "%llu", (unsigned long long)bytes / 4096 + 64);
    auto_close int mount = new_filesystem("tmpfs", options, SAFE);
    return place(mount, root, path);
}

/* The action's user owns none of these, so most refuse already; a mask does not depend on each file's mode. */
static bool add_proc(int root)
{
    static const char *const hidden_files[] = { "kcore", "keys", "key-users", "timer_list", "sched_debug", "kmsg",
                                                "latency_stats", "kallsyms", "sysrq-trigger", "kpagecount" };
    static const char *const hidden_directories[] = { "acpi", "asound", "scsi" };
    static const char *const read_only[] = { "sys", "irq", "bus", "fs" };

    auto_close int proc = new_filesystem("proc", NULL, SAFE | MOUNT_ATTR_NOEXEC);
    struct statfs kind;
    if (!place(proc, root, "proc") || fstatfs(proc, &kind) < 0)
        return false;
    if (kind.f_type != PROC_SUPER_MAGIC) {
        errno = EBADF;
        return false;
    }
    for (size_t i = 0; i < COUNT(hidden_files) + COUNT(hidden_directories); i++) {
        bool is_file = i < COUNT(hidden_files);
        const char *name = is_file ? hidden_files[i] : hidden_directories[i - COUNT(hidden_files)];
        if (faccessat(proc, name, F_OK, 0) < 0)
            continue;
        auto_close int mask = copy_mount(root, is_file ? "dev/null" : "sys", SAFE | MOUNT_ATTR_RDONLY);
        if (!place(mask, proc, name))
            return false;
    }
    for (size_t i = 0; i < COUNT(read_only); i++) {
        if (faccessat(proc, read_only[i], F_OK, 0) < 0)
            continue;
        auto_close int mount = copy_mount(proc, read_only[i], SAFE | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY);
        if (!place(mount, proc, read_only[i]))
            return false;
    }
    return true;
}

/* pivot_root(2), "pivot_root(".", ".")": the old root ends up below the new one, from where it is let go. */
static bool leave_host(int root)
{
    return fchdir(root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0
        && chdir("/") == 0;
}

bool enter_root(const struct spec *spec, const char **step)
{
    *step = "copy of the template";
    auto_close int root = copy_mount(AT_FDCWD, TEMPLATE, 0);
    if (!place(root, AT_FDCWD, TEMPLATE))
        return false;
    *step = "scratch";
    if (!add_scratch(root, "tmp", spec->scratch_bytes) || !add_scratch(root, "dev/shm", spec->scratch_bytes))
        return false;
    *step = "proc";
    if (!add_proc(root))
        return false;
    *step = "pivot_root";
    return leave_host(root);
}

bool place_input_root(int input_root)
{
    return place(input_root, AT_FDCWD, "/build");
}
