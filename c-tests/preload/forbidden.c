/*
 * For LD_PRELOAD: the kernel refuses a system call, as a limit or a rule of the machine does.
 *
 *   FORBIDDEN_CALL=threads|connect   which
 *   FORBIDDEN_ERRNO=NUMBER           with that error
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void forbid(unsigned first, unsigned second, unsigned error)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { sizeof instructions / sizeof *instructions, instructions };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        abort();
}

__attribute__((constructor)) static void begin(void)
{
    const char *call = getenv("FORBIDDEN_CALL");
    const char *error = getenv("FORBIDDEN_ERRNO");
    if (call == NULL || error == NULL)
        return;
    if (strcmp(call, "threads") == 0)
        forbid(SYS_clone, SYS_clone3, (unsigned)atoi(error));
    else if (strcmp(call, "connect") == 0)
        forbid(SYS_connect, SYS_connect, (unsigned)atoi(error));
    else
        abort();
}
