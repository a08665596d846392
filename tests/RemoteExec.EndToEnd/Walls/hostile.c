/*
 * What a hostile action does. Each attempt prints one line: "ok", or the name of the errno that refused it.
 *
 *   hostile tamper HOW   tries to alter ./target, an input that may be a hard link of the store's own file
 *   hostile take WHAT    takes all there is of something
 *   hostile hold         locks ./target and keeps it
 *   hostile keep FOLDER  fills a folder and stays
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char junk[] = "tampered with";

static int say(long result)
{
    puts(result >= 0 ? "ok" : strerrorname_np(errno));
    return 0;
}

static long fail(int error)
{
    errno = error;
    return -1;
}

/* Once it is open for writing there are many ways; the plainest shows as well as any. */
static long write_opened(int fd)
{
    return fd < 0 ? -1 : write(fd, junk, sizeof junk);
}

static long write_to(const char *path, int flags)
{
    return write_opened(open(path, flags));
}

static long make_own(const char *path)
{
    return write_opened(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
}

static int reading(void)
{
    return open("target", O_RDONLY);
}

static long reopened(int flags)
{
    char path[64];
    int fd = open("target", flags);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fd < 0 ? -1 : write_to(path, O_RDWR);
}

static long chmod_reopened(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", reading());
    return chmod(path, 0777) < 0 ? -1 : write_to(path, O_WRONLY);
}

/* NULL for what may not even be mapped so; a page past the end of a file would be a signal. */
static char *mapped(int protection, int sharing)
{
    struct stat status;
    int fd = reading();
    if (fstat(fd, &status) < 0 || status.st_size == 0) {
        errno = EINVAL;
        return NULL;
    }
    void *at = mmap(NULL, 4096, protection, sharing, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static long by_mapping(int protection, int sharing, int later)
{
    char *at = mapped(protection, sharing);
    if (!at || (later && mprotect(at, 4096, later) < 0))
        return -1;
    memcpy(at, junk, sizeof junk);
    return 0;
}

/* ptrace's way of writing, which passes by the protection of a page (FOLL_FORCE). */
static long by_own_memory(int sharing)
{
    char *at = mapped(PROT_READ, sharing);
    int memory = open("/proc/self/mem", O_RDWR);
    return !at || memory < 0 ? -1 : pwrite(memory, junk, sizeof junk, (off_t)(uintptr_t)at);
}

static long remove_pages(void)
{
    char *at = mapped(PROT_READ, MAP_SHARED);
    return at ? madvise(at, 4096, MADV_REMOVE) : -1;
}

static int own_file(void)
{
    int fd = open("own", O_RDWR | O_CREAT | O_TRUNC, 0644);
    write_opened(fd);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static long by_splice(void)
{
    int ends[2];
    if (pipe(ends) < 0 || write(ends[1], junk, sizeof junk) < 0)
        return -1;
    return splice(ends[0], NULL, reading(), NULL, sizeof junk, 0);
}

static long by_handle(void)
{
    struct {
        struct file_handle handle;
        unsigned char bytes[MAX_HANDLE_SZ];
    } name = { .handle = { .handle_bytes = MAX_HANDLE_SZ } };
    int mount;
    if (name_to_handle_at(AT_FDCWD, "target", &name.handle, &mount, 0) < 0)
        return -1;
    return write_opened(open_by_handle_at(open(".", O_RDONLY | O_DIRECTORY), &name.handle, O_WRONLY));
}

static long by_link(void)
{
    /* Refused by fs.protected_hardlinks where that is on. */
    if (link("target", "alias") < 0)
        return -1;
    return chmod("alias", 0777) < 0 ? -1 : write_to("alias", O_WRONLY);
}

static long by_exchange(void)
{
    make_own("own");
    return renameat2(AT_FDCWD, "own", AT_FDCWD, "target", RENAME_EXCHANGE) < 0 ? -1 : write_to("own", O_WRONLY);
}

static long set_flags(void)
{
    int flags, fd = reading();
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
        return -1;
    flags |= FS_NOATIME_FL;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static long set_project(void)
{
    struct fsxattr attributes;
    int fd = reading();
    if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
        return -1;
    attributes.fsx_xflags |= FS_XFLAG_NOATIME;
    return ioctl(fd, FS_IOC_FSSETXATTR, &attributes);
}

/* acl(5) as the kernel keeps it: an entry of its own for the action's user, under a mask that lets everything through. */
static long set_list(const char *path, unsigned short permissions)
{
    struct {
        uint32_t version;
        struct { uint16_t tag, permissions; uint32_t id; } entries[5];
    } __attribute__((packed)) list = { 2, {
        { 0x01, 6, ~0U }, { 0x02, permissions, getuid() }, { 0x04, 4, ~0U }, { 0x10, 7, ~0U }, { 0x20, 4, ~0U } } };
    return setxattr(path, "system.posix_acl_access", &list, sizeof list, 0);
}

/* In a session of its own; it begins when the command is over, and goes on until somebody ends it. Where nobody does, time does. */
static long in_background(void)
{
    int over[2], ready[2];
    char byte;
    if (pipe(over) < 0 || pipe(ready) < 0)
        return -1;
    if (fork() == 0) {
        setsid();
        alarm(2);
        signal(SIGHUP, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        close(over[1]);
        write(ready[1], "", 1);
        if (read(over[0], &byte, 1) == 0)
            for (;;) {
                chmod("target", 0777);
                write_to("target", O_WRONLY);
            }
        _exit(0);
    }
    return read(ready[0], &byte, 1) == 1 ? 0 : -1;
}

static const struct timespec long_ago[] = { { 1, 0 }, { 1, 0 } };

static long tamper(const char *how)
{
#define IS(name) (strcmp(how, name) == 0)
    if (IS("write")) return write_to("target", O_WRONLY);
    if (IS("read and write")) return write_to("target", O_RDWR);
    if (IS("append")) return write_to("target", O_WRONLY | O_APPEND);
    if (IS("direct")) return write_to("target", O_WRONLY | O_DIRECT);
    if (IS("open and truncate")) return open("target", O_RDONLY | O_TRUNC);
    if (IS("create over")) return creat("target", 0644);
    if (IS("truncate")) return truncate("target", 0);
    if (IS("ftruncate")) return ftruncate(reading(), 0);
    if (IS("map shared")) return by_mapping(PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    if (IS("map, then protect")) return by_mapping(PROT_READ, MAP_SHARED, PROT_READ | PROT_WRITE);
    if (IS("map private")) return by_mapping(PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
    if (IS("own memory, shared")) return by_own_memory(MAP_SHARED);
    if (IS("own memory, private")) return by_own_memory(MAP_PRIVATE);
    if (IS("remove pages")) return remove_pages();
    if (IS("chmod, then write")) return chmod("target", 0777) < 0 ? -1 : write_to("target", O_WRONLY);
    if (IS("fchmod")) return fchmod(reading(), 0777);
    if (IS("fchmodat2")) return syscall(452, AT_FDCWD, "target", 0777, 0);
    if (IS("chown")) return chown("target", getuid(), getgid());
    if (IS("chgrp")) return chown("target", (uid_t)-1, getgid());
    if (IS("times")) return utimensat(AT_FDCWD, "target", long_ago, 0);
    if (IS("touch")) return utimensat(AT_FDCWD, "target", NULL, 0);
    if (IS("rename over")) { make_own("own"); return rename("own", "target"); }
    if (IS("exchange")) return by_exchange();
    if (IS("unlink and make")) return unlink("target") < 0 ? -1 : make_own("target");
    if (IS("rename away")) return rename("target", "away") < 0 ? -1 : write_to("away", O_WRONLY);
    if (IS("link, then write")) return by_link();
    if (IS("link from a descriptor")) { char path[64]; snprintf(path, sizeof path, "/proc/self/fd/%d", reading());
        return linkat(AT_FDCWD, path, AT_FDCWD, "alias", AT_SYMLINK_FOLLOW) < 0 ? -1 : write_to("alias", O_WRONLY); }
    if (IS("symlink")) return symlink("target", "way") < 0 ? -1 : write_to("way", O_WRONLY);
    if (IS("long way")) return write_to("/proc/self/cwd/target", O_WRONLY);
    if (IS("parent's way")) return write_to("/proc/1/root/build/target", O_WRONLY);
    if (IS("reopen")) return reopened(O_RDONLY);
    if (IS("reopen a path")) return reopened(O_PATH);
    if (IS("chmod a descriptor")) return chmod_reopened();
    if (IS("fallocate")) return fallocate(reading(), 0, 0, 1 << 20);
    if (IS("punch hole")) return fallocate(reading(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
    if (IS("zero range")) return fallocate(reading(), FALLOC_FL_ZERO_RANGE, 0, 4096);
    if (IS("collapse range")) return fallocate(reading(), FALLOC_FL_COLLAPSE_RANGE, 0, 4096);
    if (IS("copy_file_range")) return copy_file_range(own_file(), NULL, reading(), NULL, sizeof junk, 0);
    if (IS("sendfile")) return sendfile(reading(), own_file(), NULL, sizeof junk);
    if (IS("splice")) return by_splice();
    if (IS("clone extents")) return ioctl(reading(), FICLONE, own_file());
    if (IS("attribute")) return setxattr("target", "user.x", junk, sizeof junk, 0);
    if (IS("access list")) return set_list("target", 7);
    if (IS("capability")) return setxattr("target", "security.capability", "\0\0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0);
    if (IS("flags")) return set_flags();
    if (IS("project")) return set_project();
    if (IS("lease")) return fcntl(reading(), F_SETLEASE, F_RDLCK);
    if (IS("lock")) return flock(reading(), LOCK_EX);
    if (IS("handle")) return by_handle();
    if (IS("background")) return in_background();
    if (IS("output as it is")) return 0;
    if (IS("output, replaced")) return unlink("target") < 0 ? -1 : make_own("target");
    if (IS("output by rename")) return rename("target", "out");
    if (IS("output by link")) return link("target", "out");
    if (IS("output by symlink")) return symlink("target", "out");
    return fail(ENOSYS);
}

static char *block(size_t bytes)
{
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        exit(say(-1));
    memset(at, 1, bytes);
    return at;
}

/* Many, none of them large: together they are too much. The first one that dies ends the command as it ended. */
static int take_memory_in_pieces(void)
{
    for (int i = 0; i < 48; i++)
        if (fork() == 0) {
            block(8 << 20);
            for (;;)
                pause();
        }
    int status;
    wait(&status);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Memory that belongs to no process. */
static int take_memory_in_a_file(void)
{
    static char page[1 << 16];
    int fd = memfd_create("hog", 0);
    while (write(fd, page, sizeof page) > 0)
        ;
    return say(-1);
}

/* Writes until there is no room: says how much there was. */
static int fill(const char *folder)
{
    static char page[1 << 12];
    long long bytes = 0;
    ssize_t count;
    int fd = chdir(folder) < 0 ? -1 : open("filler", O_WRONLY | O_CREAT, 0600);
    while ((count = write(fd, page, sizeof page)) > 0)
        bytes += count;
    printf("%s %lld\n", strerrorname_np(errno), bytes);
    return 0;
}

static int tell_size(const char *folder)
{
    struct statvfs size;
    if (statvfs(folder, &size) < 0)
        return say(-1);
    printf("%llu\n", (unsigned long long)size.f_blocks * size.f_frsize);
    return 0;
}

/* Everybody forks; the first that may not says so and ends the command. */
static int bomb(void)
{
    pid_t first = getpid();
    int told[2];
    char byte;
    if (pipe(told) < 0)
        return say(-1);
    if (fork() == 0) {
        while (fork() >= 0)
            ;
        byte = errno == EAGAIN;
        write(told[1], &byte, 1);
        for (;;)
            pause();
    }
    if (read(told[0], &byte, 1) != 1 || getpid() != first)
        return 1;
    puts(byte ? "EAGAIN" : "other");
    return 0;
}

static int open_all(void)
{
    int count = 3; /* those it came with */
    while (open("/dev/null", O_RDONLY) >= 0)
        count++;
    printf("%s %d\n", strerrorname_np(errno), count);
    return 0;
}

/* A daemon that keeps the output open and never says a word. */
static int leave_daemon(void)
{
    if (fork() == 0) {
        setsid();
        signal(SIGHUP, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        if (fork() == 0)
            for (;;)
                pause();
        _exit(0);
    }
    wait(NULL);
    puts("left");
    return 0;
}

static int take(const char *what)
{
    if (strcmp(what, "memory") == 0)
        for (;;)
            block(1 << 20);
    if (strcmp(what, "memory in pieces") == 0) return take_memory_in_pieces();
    if (strcmp(what, "memory in a file") == 0) return take_memory_in_a_file();
    if (strcmp(what, "processes") == 0) return bomb();
    if (strcmp(what, "descriptors") == 0) return open_all();
    if (strcmp(what, "output") == 0) return leave_daemon();
    if (what[0] == '/') return fill(what);
    return 2;
}

int main(int count, char **words)
{
    struct stat status;
    if (count == 3 && strcmp(words[1], "tamper") == 0) {
        printf("%d ", stat("target", &status) < 0 ? 0 : (int)status.st_nlink);
        return say(tamper(words[2]));
    }
    if (count == 3 && strcmp(words[1], "take") == 0) return take(words[2]);
    if (count == 3 && strcmp(words[1], "keep") == 0) {
        fill(words[2]);
        for (;;)
            pause();
    }
    if (count == 3 && strcmp(words[1], "size") == 0) return tell_size(words[2]);
    if (count == 4 && strcmp(words[1], "list") == 0) return say(set_list(words[2], (unsigned short)atoi(words[3])));
    if (count == 2 && strcmp(words[1], "hold") == 0) {
        say(flock(reading(), LOCK_EX));
        for (;;)
            pause();
    }
    return 2;
}
