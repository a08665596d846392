/*
 * seccomp(2): a system call filter in raw BPF, so that a bare C library suffices. A deny list over a closed
 * world: calls this file's build does not know are ENOSYS, so a newer kernel opens nothing. Each refusal has the errno that
 * programs know how to handle: ENOSYS where libraries fall back to an older call, EPERM where a privilege is missing,
 * EAFNOSUPPORT for sockets.
 */
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "launcher.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "no system call filter for this architecture"
#endif

/* The last call of linux-libc-dev 6.1 (set_mempolicy_home_node); the numbers above are the same on every architecture. */
enum { NEWEST_KNOWN_CALL = 450 };

#define NAMESPACE_FLAGS \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

#define OFFSET(field) ((uint32_t)offsetof(struct seccomp_data, field))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(field))
#define LOAD_ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET(args) + 8 * (n)) /* low half: little-endian */
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (uint32_t)(action))
#define REFUSE(error) RETURN(SECCOMP_RET_ERRNO | (error))
#define IF_EQUAL(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), then, otherwise)
#define IF_ABOVE(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)(value), then, otherwise)
#define IF_BELOW(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(value), otherwise, then)
#define IF_ANY_BIT(bits, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(bits), then, otherwise)
#define DENY(call, error) { SYS_##call, error##_AT, { { 0 } } }

/* The program's last instructions, the endings that rules share. */
enum { ALLOW_AT = 250, EPERM_AT, ENOSYS_AT, PROGRAM_SIZE };
_Static_assert(PROGRAM_SIZE <= 256, "a jump reaches everywhere");

/* What becomes of one call: the ending to jump to, or, if 0, instructions of its own. */
struct rule {
    uint32_t call, ending;
    struct sock_filter body[9];
};

static struct rule rules[] = {
    /* More namespaces mean capabilities over more of the kernel. clone3's flags are behind a pointer. */
    DENY(clone3, ENOSYS),
    DENY(unshare, EPERM),
    DENY(setns, EPERM),

    /* Mounts, old and new. */
    DENY(mount, EPERM),
    DENY(umount2, EPERM),
    DENY(pivot_root, EPERM),
    DENY(chroot, EPERM),
    DENY(open_tree, EPERM),
    DENY(move_mount, EPERM),
    DENY(fsopen, EPERM),
    DENY(fsconfig, EPERM),
    DENY(fsmount, EPERM),
    DENY(fspick, EPERM),
    DENY(mount_setattr, EPERM),
    DENY(name_to_handle_at, EPERM),
    DENY(open_by_handle_at, EPERM),
    DENY(fanotify_init, EPERM),
    DENY(quotactl, EPERM),
    DENY(quotactl_fd, EPERM),

    /* Other processes' memory and descriptors. */
    DENY(ptrace, EPERM),
    DENY(process_vm_readv, EPERM),
    DENY(process_vm_writev, EPERM),
    DENY(process_madvise, EPERM),
    DENY(pidfd_getfd, EPERM),
    DENY(kcmp, EPERM),

    /* Large and young parts of the kernel, where the advisories are (TRUST 4.6). */
    DENY(bpf, EPERM),
    DENY(perf_event_open, EPERM),
    DENY(userfaultfd, EPERM),
    DENY(io_uring_setup, ENOSYS),
    DENY(io_uring_enter, ENOSYS),
    DENY(io_uring_register, ENOSYS),
    DENY(memfd_secret, ENOSYS),
    DENY(vmsplice, EPERM),
    DENY(add_key, EPERM),
    DENY(request_key, EPERM),
    DENY(keyctl, EPERM),
    DENY(mbind, EPERM),
    DENY(set_mempolicy, EPERM),
    DENY(set_mempolicy_home_node, EPERM),
    DENY(migrate_pages, EPERM),
    DENY(move_pages, EPERM),

    /* The machine itself. */
    DENY(init_module, EPERM),
    DENY(finit_module, EPERM),
    DENY(delete_module, EPERM),
    DENY(kexec_load, EPERM),
    DENY(kexec_file_load, EPERM),
    DENY(reboot, EPERM),
    DENY(swapon, EPERM),
    DENY(swapoff, EPERM),
    DENY(acct, EPERM),
    DENY(syslog, EPERM),
    DENY(settimeofday, EPERM),
    DENY(clock_settime, EPERM),
    DENY(clock_adjtime, EPERM),
    DENY(adjtimex, EPERM),
    DENY(vhangup, EPERM),
    DENY(lookup_dcookie, EPERM),
    DENY(nfsservctl, ENOSYS),
#if defined(__x86_64__)
    DENY(modify_ldt, EPERM),
    DENY(iopl, EPERM),
    DENY(ioperm, EPERM),
    DENY(uselib, ENOSYS),
    DENY(ustat, ENOSYS),
    DENY(sysfs, ENOSYS),
    DENY(_sysctl, ENOSYS),
    DENY(create_module, ENOSYS),
#endif

    { SYS_clone, 0, { LOAD_ARGUMENT(0), IF_ANY_BIT(NAMESPACE_FLAGS, 0, 1), REFUSE(EPERM), RETURN(SECCOMP_RET_ALLOW) } },

    /* Typing into the terminal of whoever started us (CVE-2017-5226). */
    { SYS_ioctl, 0, { LOAD_ARGUMENT(1), IF_EQUAL(TIOCSTI, 1, 0), IF_EQUAL(TIOCLINUX, 0, 1), REFUSE(EPERM), RETURN(SECCOMP_RET_ALLOW) } },

    /* Families by allow list: local, internet, and the routing table to look at (getifaddrs). */
    { SYS_socket, 0, { LOAD_ARGUMENT(0), IF_EQUAL(AF_UNIX, 5, 0), IF_EQUAL(AF_INET, 4, 0), IF_EQUAL(AF_INET6, 3, 0),
                    IF_EQUAL(AF_NETLINK, 0, 3), LOAD_ARGUMENT(2), IF_EQUAL(NETLINK_ROUTE, 0, 1),
                    RETURN(SECCOMP_RET_ALLOW), REFUSE(EAFNOSUPPORT) } },
    { SYS_socketpair, 0, { LOAD_ARGUMENT(0), IF_EQUAL(AF_UNIX, 0, 1), RETURN(SECCOMP_RET_ALLOW), REFUSE(EAFNOSUPPORT) } },

    /* What uname -m, setarch -R and a mere question need; no STICKY_TIMEOUTS, no READ_IMPLIES_EXEC. */
    { SYS_personality, 0, { LOAD_ARGUMENT(0), IF_EQUAL(PER_LINUX, 4, 0), IF_EQUAL(PER_LINUX32, 3, 0),
                         IF_EQUAL(ADDR_NO_RANDOMIZE, 2, 0), IF_EQUAL(0xffffffff, 1, 0), REFUSE(EPERM),
                         RETURN(SECCOMP_RET_ALLOW) } },
};

/*
 * A tree, because the kernel runs a new filter once for each call that exists, to learn which are always allowed: a
 * list of these rules takes it 106 us of every start. Written from the end, as jumps only lead on: each target is there
 * before those that jump to it.
 */
enum { LEAF_RULES = 5 };
static struct sock_filter program[PROGRAM_SIZE] = {
    [ALLOW_AT] = RETURN(SECCOMP_RET_ALLOW), [EPERM_AT] = REFUSE(EPERM), [ENOSYS_AT] = REFUSE(ENOSYS)
};
static unsigned start = ALLOW_AT;
_Static_assert(COUNT(rules) * 2 + 48 <= ALLOW_AT, "one comparison for each rule, fewer forks, the bodies, the entry");

static void prepend(struct sock_filter instruction)
{
    program[--start] = instruction;
}

/* The jump to there of the instruction that is prepended next. */
static uint8_t to(unsigned target)
{
    return (uint8_t)(target - start);
}

static void decide(const struct rule *from, size_t count)
{
    if (count > LEAF_RULES) {
        size_t half = count / 2;
        decide(from + half, count - half);
        unsigned upper = start;
        decide(from, half);
        prepend((struct sock_filter)IF_BELOW(from[half].call, 0, to(upper)));
        return;
    }
    unsigned otherwise = ALLOW_AT;
    for (const struct rule *rule = from + count; rule-- > from; otherwise = start) {
        for (size_t i = COUNT(rule->body); i-- > 0;)
            if (rule->body[i].code)
                prepend(rule->body[i]);
        prepend((struct sock_filter)IF_EQUAL(rule->call, rule->ending ? to(rule->ending) : 0, to(otherwise)));
    }
}

static int by_call(const void *left, const void *right)
{
    uint32_t a = ((const struct rule *)left)->call, b = ((const struct rule *)right)->call;
    return a < b ? -1 : a > b;
}

void compile_filter(void)
{
    static const struct sock_filter entry[] = {
        /* Another architecture's entry has other numbers: a filter that looked at those first would be passed by. */
        LOAD(arch),
        IF_EQUAL(NATIVE_ARCH, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
        IF_ABOVE(NEWEST_KNOWN_CALL, 0, 1), /* x32's bit is far above, too */
        REFUSE(ENOSYS),
    };
    qsort(rules, COUNT(rules), sizeof *rules, by_call);
    decide(rules, COUNT(rules));
    for (size_t i = COUNT(entry); i-- > 0;)
        prepend(entry[i]);
}

bool install_filter(void)
{
    struct sock_fprog compiled = { .len = (unsigned short)(PROGRAM_SIZE - start), .filter = program + start };
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &compiled, 0, 0) == 0;
}
