/*
 * A fork while threads of the host hold OpenSSL's locks: psc_free in the child waits for none of them, for a handle that was
 * configured, or started and stopped again, and whether or not the child has used it.
 *
 *   fork-locks CONFIG FORKS
 */
#include "common.h"

#define CHILD_SECONDS 10 /* SIGALRM ends a child that hangs */

typedef int new_index_fn(int, long, void *, void *, void *, void *);
typedef int free_index_fn(int, int);

static new_index_fn *new_index;
static free_index_fn *free_index;
static atomic_int leave, turns;

/* What OpenSSL's own users do when they attach data to its objects: it takes the lock that the end of each object takes. */
static void *use_openssl(void *unused)
{
    while (!atomic_load(&leave)) {
        int index = new_index(0, 0, NULL, NULL, NULL, NULL);
        CHECK(index >= 0 && free_index(0, index) == 1);
        atomic_fetch_add(&turns, 1);
    }
    return unused;
}

static void child(psc_checker *checker, int round)
{
    alarm(is_slow() ? 6 * CHILD_SECONDS : CHILD_SECONDS);
    int descriptors = count_descriptors();
    if (round % 3 == 1) CHECK_CODE(PSC_OK, psc_stop(checker));
    if (round % 3 == 2) CHECK(psc_log_fd(checker) >= 0);
    psc_free(checker);
    CHECK(count_descriptors() <= descriptors);
    _exit(0);
}

static void fork_children(psc_checker *checker, int forks)
{
    for (int round = 0; round < forks; round++) {
        pid_t pid = fork();
        CHECK(pid != -1);
        if (pid == 0) child(checker, round);
        CHECK(wait_for(pid) == 0);
    }
}

int main(int argc, char **argv)
{
    pthread_t threads[2];
    CHECK(argc == 3);
    int forks = atoi(argv[2]);
    psc_checker *configured = checker_new(NULL, NULL, argv[1]);
    psc_checker *stopped = checker_new(NULL, NULL, argv[1]);
    CHECK_CODE(PSC_OK, psc_configure(stopped, "{\"start_delay\":3600}"));
    CHECK(psc_log_fd(stopped) >= 0);
    CHECK_CODE(PSC_OK, psc_start(stopped));
    CHECK_CODE(PSC_OK, stop_fully(stopped));

    void *symbol = dlsym(RTLD_DEFAULT, "CRYPTO_get_ex_new_index");
    CHECK(symbol != NULL);
    memcpy(&new_index, &symbol, sizeof symbol);
    symbol = dlsym(RTLD_DEFAULT, "CRYPTO_free_ex_index");
    CHECK(symbol != NULL);
    memcpy(&free_index, &symbol, sizeof symbol);
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, use_openssl, NULL) == 0);
    WAIT_UNTIL(atomic_load(&turns) > 0);
    fork_children(configured, forks);
    fork_children(stopped, forks);
    atomic_store(&leave, 1);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    psc_free(configured);
    psc_free(stopped);
    return 0;
}
