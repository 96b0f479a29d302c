/*
 * A host's loadable module: it uses psc and is unloaded by unload.c.
 */
#include "common.h"

int plugin_start(const char *config, const char *more);
void plugin_stop(void);

static struct log journal;
static psc_checker *checker;

/* Starts psc and waits until it checks; returns how many threads are psc's. */
int plugin_start(const char *config, const char *more)
{
    log_init(&journal);
    checker = checker_new(log_keep, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(checker, more));
    CHECK_CODE(PSC_OK, psc_start(checker));
    EXPECT_LOG(&journal, 0, "sending:");
    return psc_threads();
}

void plugin_stop(void)
{
    psc_free(checker);
    checker = NULL;
}
