/*
 * Prints what psc says of the libcurl in this program: 1 part of it, 0 a shared library.
 * tests/abi/curl_static.rs compares that with what nm and ldd say.
 */
#include <stdio.h>

#include "psc.h"

int main(void)
{
    printf("%d\n", psc_curl_is_static());
    return 0;
}
