/*
 * Socket pairs that the host makes in another thread during checks, for programs that it executes, stay inheritable:
 * psc sets close-on-exec on libcurl's own alone.
 *
 *   host-pairs CONFIG     a configuration whose check ends at once
 */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECKS 300
#define PAIRS 16 /* open at once, so that each stays for a while */

static atomic_int ended;
static int made, changed;

static void count_changed(const int *pair)
{
    int end;
    for (end = 0; end < 2; end++) {
        int flags = fcntl(pair[end], F_GETFD);
        CHECK(flags >= 0);
        changed += (flags & FD_CLOEXEC) != 0;
        close(pair[end]);
    }
}

static void *make_pairs(void *nothing)
{
    int pairs[PAIRS][2], i;
    while (!atomic_load(&ended)) {
        for (i = 0; i < PAIRS; i++)
            CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) == 0);
        for (i = 0; i < PAIRS; i++)
            count_changed(pairs[i]);
        made += PAIRS;
    }
    return nothing;
}

int main(int argc, char **argv)
{
    static struct records records;
    psc_checker *checker = psc_init(keep_record, &records);
    pthread_t host;
    int i;

    CHECK(argc == 2);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    CHECK(pthread_create(&host, NULL, make_pairs, NULL) == 0);
    for (i = 0; i < CHECKS; i++)
        CHECK_CODE(PSC_ERR_NETWORK, psc_run_once(checker, NULL));
    atomic_store(&ended, 1);
    CHECK(pthread_join(host, NULL) == 0);
    printf("%d of %d\n", changed, 2 * made);
    CHECK(made > 0);
    CHECK(changed == 0);
    psc_free(checker);
    forget_records(&records);
    return 0;
}
