/* What an action may try. Each attempt prints "ok" or the name of the errno that refused it; the tests know which it must be. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(long result)
{
    puts(result >= 0 ? "ok" : strerrorname_np(errno));
}

static int in_child(long (*attempt)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        say(attempt());
        fflush(stdout);
        _exit(0);
    }
    return waitpid(pid, NULL, 0) == pid ? 0 : 1;
}

static long by_clone(void)
{
    return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
}

static long by_clone3(void)
{
    struct clone_args arguments = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
    return syscall(SYS_clone3, &arguments, sizeof arguments);
}

static int attempt(const char *name)
{
    char byte = 'x';
    if (!strcmp(name, "mount")) say(mount("none", "/tmp", "tmpfs", 0, NULL));
    else if (!strcmp(name, "remount")) say(mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL));
    else if (!strcmp(name, "umount")) say(umount2("/proc/sys", MNT_DETACH));
    else if (!strcmp(name, "fsopen")) say(fsopen("tmpfs", 0));
    else if (!strcmp(name, "pivot_root")) say(syscall(SYS_pivot_root, ".", "."));
    else if (!strcmp(name, "chroot")) say(chroot("/tmp"));
    else if (!strcmp(name, "ptrace")) say(ptrace(PTRACE_ATTACH, 1, NULL, NULL));
    else if (!strcmp(name, "traceme")) say(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    else if (!strcmp(name, "init_memory")) say(open("/proc/1/mem", O_RDWR));
    else if (!strcmp(name, "init_root")) say(open("/proc/1/root", O_RDONLY));
    else if (!strcmp(name, "unshare")) say(unshare(CLONE_NEWUSER));
    else if (!strcmp(name, "clone")) return in_child(by_clone);
    else if (!strcmp(name, "clone3")) return in_child(by_clone3);
    else if (!strcmp(name, "setns")) say(setns(open("/proc/self/ns/net", O_RDONLY), 0));
    else if (!strcmp(name, "bpf")) say(syscall(SYS_bpf, 0, NULL, 0));
    else if (!strcmp(name, "perf")) say(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
    else if (!strcmp(name, "io_uring")) say(syscall(SYS_io_uring_setup, 1, NULL));
    else if (!strcmp(name, "userfaultfd")) say(syscall(SYS_userfaultfd, 0));
    else if (!strcmp(name, "keyctl")) say(syscall(SYS_keyctl, 0, -3, 0));
    else if (!strcmp(name, "add_key")) say(syscall(SYS_add_key, "user", "a", "b", 1, -3));
    else if (!strcmp(name, "tiocsti")) say(ioctl(0, TIOCSTI, &byte));
    else if (!strcmp(name, "tiocsti_high")) say(syscall(SYS_ioctl, 0, TIOCSTI | 0x100000000UL, &byte));
    else if (!strcmp(name, "alg")) say(socket(AF_ALG, SOCK_SEQPACKET, 0));
    else if (!strcmp(name, "vsock")) say(socket(AF_VSOCK, SOCK_STREAM, 0));
    else if (!strcmp(name, "packet")) say(socket(AF_PACKET, SOCK_RAW, 0));
    else if (!strcmp(name, "netfilter")) say(socket(AF_NETLINK, SOCK_RAW, 12));
    else if (!strcmp(name, "route")) say(socket(AF_NETLINK, SOCK_RAW, 0));
    else if (!strcmp(name, "unix")) say(socket(AF_UNIX, SOCK_STREAM, 0));
    else if (!strcmp(name, "inet")) say(socket(AF_INET, SOCK_STREAM, 0));
    else if (!strcmp(name, "raw")) say(socket(AF_INET, SOCK_RAW, 1));
    else if (!strcmp(name, "unknown_call")) say(syscall(461, 0));
#ifdef __x86_64__
    else if (!strcmp(name, "x32")) say(syscall(0x40000000 | SYS_getpid));
    else if (!strcmp(name, "int80")) __asm__ volatile("int $0x80" : : "a"(20) : "memory");
#endif
    else if (!strcmp(name, "persona")) say(syscall(SYS_personality, 0x0400000));
    else if (!strcmp(name, "set_time")) say(syscall(SYS_clock_settime, 0, NULL));
    else if (!strcmp(name, "mknod")) say(mknod("/tmp/device", S_IFCHR | 0666, 0x103));
    else if (!strcmp(name, "setuid")) say(setuid(0));
    else if (!strcmp(name, "nice_up")) say(setpriority(PRIO_PROCESS, 0, -5));
    else if (!strcmp(name, "realtime")) say(sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 1 }));
    else if (!strcmp(name, "realtime_io")) say(syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, 1 << 13 /* IOPRIO_CLASS_RT */));
    else if (!strcmp(name, "survive_memory")) say(write(open("/proc/self/oom_score_adj", O_WRONLY), "999", 3));
    else if (!strcmp(name, "more_processes")) say(setrlimit(RLIMIT_NPROC, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY }));
    else if (!strcmp(name, "more_files")) say(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 1 << 19, 1 << 19 }));
    else if (!strcmp(name, "sethostname")) say(sethostname("x", 1));
    else if (!strcmp(name, "kill_init")) { say(kill(1, SIGKILL)); usleep(1000); puts("alive"); }
    else return 2;
    return 0;
}

/* Takes memory, page by page, until somebody stops it. */
static int hog(void)
{
    for (;;) {
        char *block = malloc(1 << 20);
        if (!block)
            return 3;
        memset(block, 1, 1 << 20);
    }
}

/* Forks until it may not; the children stay. Prints how many there were. */
static int bomb(void)
{
    int count = 0;
    for (pid_t pid; count < 100000 && (pid = fork()) >= 0; count++)
        if (pid == 0)
            for (;;)
                pause();
    printf("%d %s\n", count, strerrorname_np(errno));
    return 0;
}

/* Leaves a grandchild in a session of its own that holds the output open. */
static int escape(void)
{
    if (fork() == 0) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        if (fork() == 0)
            for (;;)
                pause();
        _exit(0);
    }
    wait(NULL);
    puts("escaped");
    return 0;
}

/* A launcher that takes a spec, answers with the beginning of an exit frame's payload, and does not go away by itself. */
static int launch_nonsense(const char *path)
{
    static const unsigned char exit_frame[] = { 2, 0, 0, 0, 132, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char spec[64 * 1024];
    int worker = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (connect(worker, (struct sockaddr *)&address, sizeof address) != 0) return 1;
    if (read(worker, spec, sizeof spec) <= 0) return 1;
    if (write(worker, exit_frame, sizeof exit_frame) != sizeof exit_frame) return 1;
    while (read(worker, spec, sizeof spec) > 0) { }
    return 0;
}

int main(int count, char **words)
{
    if (count > 2 && !strcmp(words[1], "--connect")) return launch_nonsense(words[2]);
    if (count == 3 && !strcmp(words[1], "try")) return attempt(words[2]);
    if (count == 2 && !strcmp(words[1], "hog")) return hog();
    if (count == 2 && !strcmp(words[1], "bomb")) return bomb();
    if (count == 2 && !strcmp(words[1], "escape")) return escape();
    if (count == 3 && !strcmp(words[1], "exit")) return atoi(words[2]);
    if (count == 2 && !strcmp(words[1], "wait")) { puts("waiting"); fflush(stdout); for (;;) pause(); }
    return 2;
}
