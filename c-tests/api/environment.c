/*
 * The environment is read when psc is configured, in the host's thread, and never at a check: a host that changes it meanwhile
 * would crash. With c-tests/preload/getenv.c.
 *
 *   environment CONFIG CODE [CONFIG CODE...]    each is configured; then a check in this thread gives CODE, and one in psc's
 */
#include "../harness.h"

#include <dlfcn.h>
#include <unistd.h>

static int watch(int on)
{
    int (*function)(int) = NULL;
    void *found = dlsym(RTLD_DEFAULT, "getenv_watch");
    CHECK(found != NULL);
    memcpy(&function, &found, sizeof function);
    return function(on);
}

/* psc's thread has made a check: its code is known. */
static int has_checked(psc_checker *checker)
{
    char *json = NULL, *last;
    int found;
    CHECK(psc_status(checker, &json) == PSC_OK);
    last = strstr(json, "\"last_check\":{");
    if (last != NULL && strchr(last, '}') != NULL)
        *strchr(last, '}') = 0;
    found = last != NULL && strstr(last, "\"code\":null") == NULL;
    psc_string_free(json);
    return found;
}

static void check_unwatched(const char *config, int code)
{
    psc_checker *checker = psc_init(NULL, NULL);
    psc_checker *background = psc_init(NULL, NULL);
    int i;

    CHECK(checker != NULL && background != NULL);
    watch(1);
    CHECK_CODE(PSC_OK, psc_configure(checker, config));
    CHECK(watch(0) > 0); /* the watch works */
    CHECK_CODE(PSC_OK, psc_configure(background, config));
    watch(1);
    CHECK_CODE(code, psc_run_once(checker, NULL));
    CHECK_CODE(PSC_OK, psc_start(background));
    for (i = 0; !has_checked(background); i++) {
        CHECK(i < 3000);
        usleep(10000);
    }
    CHECK_CODE(PSC_OK, psc_stop(background));
    psc_free(background);
    psc_free(checker);
    CHECK(watch(0) == 0);
}

int main(int argc, char **argv)
{
    int i;
    CHECK(argc > 2 && argc % 2 == 1);
    for (i = 1; i < argc; i += 2)
        check_unwatched(argv[i], atoi(argv[i + 1]));
    return 0;
}
