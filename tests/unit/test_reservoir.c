/* test_reservoir.c - the built-in model: one network, from memory and from its file, everywhere. */
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/celltap.h"
#include "tests/support/rig.h"
#include "tests/support/suite.h"

#define RESERVOIR_HASH 0x4f9843088ee093e8u /* of 3 values and 64 units; it never changes */

START_TEST(test_reservoir_when_loaded_from_its_file_then_is_the_same_bit_for_bit)
{
    struct celltap_detector_options options;
    celltap_model *one, *two;
    celltap_stream *streams[2];
    celltap_panel *panels[2];
    uint64_t seed = 1;
    size_t n = celltap_reservoir_onnx(5, 24, NULL, 0);
    unsigned char *bytes = malloc(n);
    ck_assert_uint_eq(celltap_reservoir_onnx(5, 24, bytes, n), n);
    ck_assert_int_eq(celltap_model_reservoir(5, 24, &one), 0);
    ck_assert_int_eq(celltap_model_load_bytes(bytes, n, &two, NULL), 0);
    ck_assert_uint_eq(celltap_model_hash(one), celltap_model_hash(two));
    celltap_detector_defaults(two, &options);
    ck_assert_int_eq(options.scale, CELLTAP_SCALE_LEARN);
    celltap_model *const models[] = {one, two};
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(celltap_stream_new(models[i], &streams[i]), 0);
        ck_assert_int_eq(celltap_panel_new(models[i], 1, &panels[i]), 0);
    }
    for (size_t t = 0; t < 100; t++) {
        float x[5];
        for (size_t k = 0; k < 5; k++)
            x[k] = rig_uniform(&seed, -3, 3);
        for (size_t i = 0; i < 2; i++)
            ck_assert_int_eq(celltap_step(panels[i], streams[i], x, 5), 0);
        for (size_t tensor = 0; tensor < 3; tensor++)
            ck_assert_mem_eq(celltap_panel_tensor(panels[0], 0, 1, tensor),
                             celltap_panel_tensor(panels[1], 0, 1, tensor), 24 * sizeof(float));
    }
    for (size_t i = 0; i < 2; i++) {
        celltap_stream_free(streams[i]);
        celltap_panel_free(panels[i]);
        celltap_model_unref(models[i]);
    }
    free(bytes);
}
END_TEST

START_TEST(test_reservoir_when_on_any_machine_then_is_this_one)
{
    celltap_model *model = NULL;
    ck_assert_int_eq(celltap_model_reservoir(3, 64, &model), 0);
    ck_assert_msg(celltap_model_hash(model) == RESERVOIR_HASH, "%llx",
                  (unsigned long long)celltap_model_hash(model));
    ck_assert_uint_eq(celltap_model_n_values(model), 3);
    ck_assert_str_eq(celltap_layer_name(model, 1), "reservoir");
    celltap_model_unref(model);
    ck_assert_int_eq(celltap_model_reservoir(0, 64, &model), CELLTAP_EINVAL);
    ck_assert_int_eq(celltap_model_reservoir(3, 1025, &model), CELLTAP_EINVAL);
    ck_assert_uint_eq(celltap_reservoir_onnx(4097, 1, NULL, 0), 0);
    for (long n = 0; n < 3; n++) {
        alloc_fail_after(n);
        int err = celltap_model_reservoir(3, 8, &model);
        alloc_fail_after(-1);
        ck_assert_int_eq(err, CELLTAP_ENOMEM);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_reservoir_when_loaded_from_its_file_then_is_the_same_bit_for_bit,
        test_reservoir_when_on_any_machine_then_is_this_one,
        NULL,
    };
    return suite_run("reservoir", tests, 20);
}
