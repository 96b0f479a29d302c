/*
 * Compiles as every C and C++ that a host may be written in, with the header alone and included twice:
 * nothing else has been included before.
 */
#include "psc.h"
#include "psc.h"

#if PSC_VERSION_NUMBER < 0x000100 || PSC_OK != 0 || PSC_ERR_TIMEOUT != -16
#error "the preprocessor cannot use psc's numbers"
#endif

static void log_line(void *user_data, int level, const char *message)
{
    (void) user_data;
    (void) level;
    (void) message;
}

int main(void)
{
    psc_checker *checker = psc_init(log_line, 0);
    unsigned number = psc_version_number();
    psc_free(checker);
    return number == PSC_VERSION_NUMBER ? 0 : 1;
}
