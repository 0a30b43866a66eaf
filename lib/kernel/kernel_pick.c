/* kernel_pick.c - which kernel this machine uses: the widest it can run, or CELLTAP_KERNEL's. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/celltap.h"
#include "lib/kernel/kernel.h"

extern const struct kernel kernel_plain;
#if defined(__x86_64__)
extern const struct kernel kernel_avx2;
#elif defined(__aarch64__)
extern const struct kernel kernel_neon;
#endif

static bool kernel_always(void)
{
    return true;
}

#if defined(__x86_64__)
static bool kernel_has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

/* The widest first. */
static const struct {
    const struct kernel *kernel;
    bool (*runs)(void);
} kernel_table[] = {
#if defined(__x86_64__)
    {&kernel_avx2, kernel_has_avx2},
#elif defined(__aarch64__)
    {&kernel_neon, kernel_always},
#endif
    {&kernel_plain, kernel_always},
};
#define KERNEL_N (sizeof kernel_table / sizeof kernel_table[0])

static _Atomic(const struct kernel *) kernel_picked;

const struct kernel *kernel_find(const char *name)
{
    for (size_t i = 0; i < KERNEL_N; i++)
        if (strcmp(kernel_table[i].kernel->name, name) == 0 && kernel_table[i].runs())
            return kernel_table[i].kernel;
    return NULL;
}

void kernel_use(const struct kernel *kernel)
{
    atomic_store_explicit(&kernel_picked, kernel, memory_order_release);
}

const struct kernel *kernel_pick(void)
{
    const struct kernel *kernel = atomic_load_explicit(&kernel_picked, memory_order_acquire);
    if (kernel != NULL)
        return kernel;
    const char *wanted = getenv("CELLTAP_KERNEL");
    if (wanted != NULL)
        kernel = kernel_find(wanted);
    for (size_t i = 0; kernel == NULL && i < KERNEL_N; i++)
        if (kernel_table[i].runs())
            kernel = kernel_table[i].kernel;
    kernel_use(kernel);
    return kernel;
}

const char *celltap_kernel_name(void)
{
    return kernel_pick()->name;
}
