/*
 * Host event "crash" and "reload", many times: processes that live for a moment only, one after the other, forked from one that
 * has made the handle. They are one run of the host: what the first has planned the last one does, and nothing is said twice.
 *
 *   short CONFIG STATE_DIR PROCESSES PHRASE    prints how many records had PHRASE
 */
#include "common.h"

#define LIFE_MS 200

static int said[2];

static void tell(void *phrase, int level, const char *message)
{
    (void) level;
    if (strstr(message, phrase) != NULL) CHECK(write(said[1], "x", 1) == 1);
}

/* Ended by the host like that, a check would count as one whose end is not known. */
static int is_checking(psc_checker *checker)
{
    return json_has(checker, psc_status, "\"code\":null");
}

int main(int argc, char **argv)
{
    int status, count = 0;
    char byte;
    CHECK(argc == 5);
    CHECK(pipe2(said, O_CLOEXEC | O_NONBLOCK) == 0);
    psc_checker *checker = checker_new(tell, argv[4], argv[1]);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\",\"start_delay\":2,\"start_jitter\":0}", argv[2]));
    for (int i = 0; i < atoi(argv[3]); i++) {
        pid_t child = fork();
        CHECK(child != -1);
        if (child == 0) {
            CHECK_CODE(PSC_OK, psc_start(checker));
            sleep_ms(LIFE_MS);
            WAIT_UNTIL(!is_checking(checker));
            CHECK_CODE(PSC_OK, psc_stop(checker));
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    while (read(said[0], &byte, 1) == 1) count++;
    printf("%d\n", count);
    psc_free(checker);
    return 0;
}
