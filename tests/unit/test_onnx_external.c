/* test_onnx_external.c - a model whose numbers are in files beside it is the model with them inside;
 * whatever else it says of such files is refused, with a reason. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/model/onnx.pb-c.h"
#include "tests/support/graphs.h"
#include "tests/support/suite.h"

#define GRAPH "lstm_full"
#define EXTERNAL_HASH                                                                              \
    0xab0df6e7feddf17dull /* of tests/unit/data/external.onnx with its data inside */

typedef Celltap__Onnx__Tensor OnnxTensor;
typedef Celltap__Onnx__StringStringEntry OnnxEntry;

/* A folder with a model in it. */
struct place {
    char folder[64], model[128];
};

static struct place place_new(void)
{
    struct place place = {.folder = "/tmp/celltap-external-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(place.folder));
    snprintf(place.model, sizeof place.model, "%s/model.onnx", place.folder);
    return place;
}

static void place_remove(const struct place *place)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", place->folder);
    ck_assert_int_eq(system(command), 0);
}

static void place_write(const struct place *place, const char *name, const void *bytes, size_t n)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

/* What the first tensor says, NULL: what is right; the others are always right. */
struct claim {
    const char *location, *offset, *length;
};

static OnnxEntry *entry_new(const char *key, const char *value)
{
    OnnxEntry *entry = malloc(sizeof *entry);
    *entry = (OnnxEntry)CELLTAP__ONNX__STRING_STRING_ENTRY__INIT;
    entry->key = strdup(key);
    entry->value = strdup(value);
    return entry;
}

/* Moves a tensor's raw_data to the end of data. */
static void tensor_put_outside(OnnxTensor *tensor, const struct claim *claim, char *data,
                               size_t *n_data)
{
    char offset[32], length[32];
    snprintf(offset, sizeof offset, "%zu", *n_data);
    snprintf(length, sizeof length, "%zu", tensor->raw_data.len);
    memcpy(data + *n_data, tensor->raw_data.data, tensor->raw_data.len);
    *n_data += tensor->raw_data.len;
    free(tensor->raw_data.data);
    tensor->raw_data = (ProtobufCBinaryData){0};
    tensor->has_raw_data = 0;
    tensor->has_data_location = tensor->data_location = 1;
    tensor->n_external_data = 3;
    tensor->external_data = calloc(3, sizeof(OnnxEntry *));
    tensor->external_data[0] =
        entry_new("location", claim->location ? claim->location : "model.onnx.data");
    tensor->external_data[1] = entry_new("offset", claim->offset ? claim->offset : offset);
    tensor->external_data[2] = entry_new("length", claim->length ? claim->length : length);
}

/* Attributes may be tensors, too. */
static void graph_put_attributes_outside(Celltap__Onnx__Graph *graph, char *data, size_t *n_data)
{
    for (size_t k = 0; k < graph->n_node; k++)
        for (size_t a = 0; a < graph->node[k]->n_attribute; a++) {
            OnnxTensor *tensor = graph->node[k]->attribute[a]->t;
            if (tensor != NULL && tensor->has_raw_data)
                tensor_put_outside(tensor, &(struct claim){0}, data, n_data);
        }
}

/* The graph in the folder, all its numbers in model.onnx.data. */
static void place_put(const struct place *place, const char *graph, struct claim first)
{
    size_t n_bytes, n_data = 0;
    unsigned char *bytes = graphs_bytes(graph, &n_bytes);
    char *data = malloc(n_bytes);
    Celltap__Onnx__Model *model = celltap__onnx__model__unpack(NULL, n_bytes, bytes);
    ck_assert_uint_gt(model->graph->n_initializer, 1);
    for (size_t k = 0; k < model->graph->n_initializer; k++) {
        ck_assert(model->graph->initializer[k]->has_raw_data);
        tensor_put_outside(model->graph->initializer[k], k == 0 ? &first : &(struct claim){0}, data,
                           &n_data);
    }
    graph_put_attributes_outside(model->graph, data, &n_data);
    place_write(place, "model.onnx.data", data, n_data);
    bytes = realloc(bytes, celltap__onnx__model__get_packed_size(model));
    n_bytes = celltap__onnx__model__pack(model, bytes);
    place_write(place, "model.onnx", bytes, n_bytes);
    celltap__onnx__model__free_unpacked(model, NULL);
    free(data);
    free(bytes);
}

START_TEST(test_external_when_data_is_beside_then_is_the_model_with_data_inside)
{
    struct place place = place_new();
    celltap_model *inside = NULL, *outside = NULL, *again = NULL;
    char text[512], same[512];
    void *bytes = NULL;
    size_t n_bytes = 0;
    place_put(&place, GRAPH, (struct claim){0});
    ck_assert_int_eq(graphs_load(GRAPH, &inside, NULL), 0);
    ck_assert_int_eq(celltap_model_load(place.model, &outside, NULL), 0);
    ck_assert_str_eq(graphs_run(outside, 3, text), graphs_run(inside, 3, same));
    ck_assert_int_eq(celltap_model_read(place.model, &bytes, &n_bytes, NULL), 0);
    ck_assert_int_eq(celltap_model_load_bytes(bytes, n_bytes, &again, NULL), 0);
    ck_assert_uint_eq(celltap_model_hash(again), celltap_model_hash(outside));
    ck_assert_str_eq(graphs_run(again, 3, text), same);
    free(bytes);
    celltap_model_unref(inside);
    celltap_model_unref(outside);
    celltap_model_unref(again);
    place_remove(&place);
}
END_TEST

/* Snapshots and statistics name a model by its hash: another version must give the same. */
START_TEST(test_external_when_read_then_hash_is_what_it_always_was)
{
    celltap_model *model = NULL;
    char text[512];
    ck_assert_int_eq(celltap_model_load("tests/unit/data/external.onnx", &model, NULL), 0);
    ck_assert_str_eq(graphs_run(model, 1, text), "21 59");
    ck_assert_msg(celltap_model_hash(model) == EXTERNAL_HASH, "%llx",
                  (unsigned long long)celltap_model_hash(model));
    celltap_model_unref(model);
}
END_TEST

START_TEST(test_external_when_an_attribute_is_a_tensor_then_its_data_is_read_too)
{
    struct place place = place_new();
    celltap_model *model = NULL;
    struct celltap_diagnosis said = {0};
    char text[512];
    place_put(&place, "where_expand", (struct claim){0});
    ck_assert_msg(celltap_model_load(place.model, &model, &said) == 0, "%s", said.text);
    ck_assert_str_eq(graphs_run(model, 1, text), "1 4 9 16");
    celltap_model_unref(model);
    place_remove(&place);
}
END_TEST

START_TEST(test_external_when_a_number_changes_then_is_another_model)
{
    struct place place = place_new();
    celltap_model *model = NULL;
    char path[256];
    uint64_t hashes[2];
    place_put(&place, GRAPH, (struct claim){0});
    for (size_t k = 0; k < 2; k++) {
        ck_assert_int_eq(celltap_model_load(place.model, &model, NULL), 0);
        hashes[k] = celltap_model_hash(model);
        celltap_model_unref(model);
        snprintf(path, sizeof path, "%s/model.onnx.data", place.folder);
        int fd = open(path, O_WRONLY);
        ck_assert_int_eq(pwrite(fd, "\1", 1, 0), 1);
        close(fd);
    }
    ck_assert(hashes[0] != hashes[1]);
    place_remove(&place);
}
END_TEST

START_TEST(test_external_when_all_is_inside_then_bytes_are_the_files)
{
    size_t n_bytes = 0, n_read = 0;
    void *read = NULL;
    unsigned char *bytes = graphs_bytes(GRAPH, &n_bytes);
    ck_assert_int_eq(celltap_model_read("tests/unit/data/" GRAPH ".onnx", &read, &n_read, NULL), 0);
    ck_assert_uint_eq(n_read, n_bytes);
    ck_assert_mem_eq(read, bytes, n_bytes);
    free(read);
    free(bytes);
}
END_TEST

START_TEST(test_external_when_a_link_or_folder_stays_below_then_loads)
{
    static const char *const locations[] = {"sub/data", "./sub/data", "link", "..data/x", "a..b"};
    struct place place = place_new();
    char path[256], to[256];
    snprintf(path, sizeof path, "%s/sub", place.folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/..data", place.folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/link", place.folder);
    ck_assert_int_eq(symlink("sub/data", path), 0);
    for (size_t k = 0; k < sizeof locations / sizeof *locations; k++) {
        celltap_model *model = NULL;
        struct celltap_diagnosis said = {0};
        place_put(&place, GRAPH, (struct claim){.location = locations[k]});
        snprintf(path, sizeof path, "%s/model.onnx.data", place.folder);
        snprintf(to, sizeof to, "%s/%s", place.folder, k < 3 ? "sub/data" : locations[k]);
        ck_assert_int_eq(link(path, to), 0);
        ck_assert_msg(celltap_model_load(place.model, &model, &said) == 0, "%s", said.text);
        celltap_model_unref(model);
        ck_assert_int_eq(unlink(to), 0);
    }
    place_remove(&place);
}
END_TEST

static const struct {
    struct claim claim;
    int code;
    const char *says;
} external_faults[] = {
    {{.location = ""}, CELLTAP_EFILE, "no name"},
    {{.location = "nowhere"}, CELLTAP_EFILE, "'nowhere', which must be beside the model: No such"},
    {{.location = "/etc/passwd"}, CELLTAP_EFILE, "outside the model's folder"},
    {{.location = "../model.onnx.data"}, CELLTAP_EFILE, "outside the model's folder"},
    {{.location = "sub/../model.onnx.data"}, CELLTAP_EFILE, "outside the model's folder"},
    {{.location = "sub/.."}, CELLTAP_EFILE, "outside the model's folder"},
    {{.location = ".."}, CELLTAP_EFILE, "outside the model's folder"},
    {{.location = "out"}, CELLTAP_EFILE, "a link to outside"},
    {{.location = "up/group"}, CELLTAP_EFILE, "a link to outside"},
    {{.location = "loop"}, CELLTAP_EFILE, "symbolic links"},
    {{.location = "sub"}, CELLTAP_EFILE, "not a regular file"},
    {{.location = "."}, CELLTAP_EFILE, ""},
    {{.location = "fifo"}, CELLTAP_EFILE, "not a regular file"},
    {{.location = "short"}, CELLTAP_EFILE, "has only 3"},
    {{.location = "model.onnx.data/x"}, CELLTAP_EFILE, "Not a directory"},
    {{.offset = "1000000"}, CELLTAP_EFILE, "not whole, or of another model"},
    {{.offset = "18446744073709551615"}, CELLTAP_EFILE, "not whole"},
    {{.offset = "18446744073709551616"}, CELLTAP_EMODEL, "offset '18446744073709551616'"},
    {{.offset = "-1"}, CELLTAP_EMODEL, "offset '-1', which is not a number"},
    {{.offset = "0x10"}, CELLTAP_EMODEL, "offset"},
    {{.offset = ""}, CELLTAP_EMODEL, "offset"},
    {{.offset = "1 "}, CELLTAP_EMODEL, "offset"},
    {{.length = "abc"}, CELLTAP_EMODEL, "length 'abc'"},
    {{.length = "0"}, CELLTAP_EMODEL, "has 0 bytes of"},
    {{.length = "1"}, CELLTAP_EMODEL, "but its shape has"},
    {{.length = "99999999999999"}, CELLTAP_EMODEL, "but its shape has"},
};

START_TEST(test_external_when_it_claims_what_is_not_so_then_says_what)
{
    struct place place = place_new();
    char path[256];
    snprintf(path, sizeof path, "%s/sub", place.folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/out", place.folder);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof path, "%s/up", place.folder);
    ck_assert_int_eq(symlink("/etc", path), 0);
    snprintf(path, sizeof path, "%s/loop", place.folder);
    ck_assert_int_eq(symlink("loop", path), 0);
    snprintf(path, sizeof path, "%s/fifo", place.folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    place_write(&place, "short", "123", 3);
    for (size_t k = 0; k < sizeof external_faults / sizeof *external_faults; k++) {
        celltap_model *model = NULL;
        struct celltap_diagnosis said = {0};
        long before = alloc_n_alive();
        place_put(&place, GRAPH, external_faults[k].claim);
        int code = celltap_model_load(place.model, &model, &said);
        ck_assert_msg(code == external_faults[k].code && model == NULL, "%zu: %d", k, code);
        ck_assert_msg(strstr(said.text, external_faults[k].says) != NULL, "%zu: %s", k, said.text);
        ck_assert_int_eq(alloc_n_alive(), before);
    }
    place_remove(&place);
}
END_TEST

START_TEST(test_external_when_model_file_is_a_fifo_then_is_not_waited_for)
{
    struct place place = place_new();
    celltap_model *model = NULL;
    struct celltap_diagnosis said = {0};
    ck_assert_int_eq(mkfifo(place.model, 0600), 0);
    ck_assert_int_eq(celltap_model_load(place.model, &model, &said), CELLTAP_EFILE);
    ck_assert(strstr(said.text, "model.onnx: not a regular file") != NULL);
    place_remove(&place);
}
END_TEST

/* A graph of 200 tensors of 2^24 floats each, all of them one hole of 64 MiB in a file. */
START_TEST(test_external_when_many_say_they_are_the_same_huge_part_then_refused)
{
    struct place place = place_new();
    celltap_model *model = NULL;
    struct celltap_diagnosis said = {0};
    size_t n_bytes;
    char path[256];
    unsigned char *bytes = graphs_bytes(GRAPH, &n_bytes);
    Celltap__Onnx__Model *onnx = celltap__onnx__model__unpack(NULL, n_bytes, bytes);
    OnnxTensor huge = CELLTAP__ONNX__TENSOR__INIT, *tensors[200];
    OnnxEntry entry = CELLTAP__ONNX__STRING_STRING_ENTRY__INIT, *entries[] = {&entry};
    int64_t dims[] = {1 << 24};
    entry.key = "location";
    entry.value = "hole";
    huge.name = "huge";
    huge.n_dims = 1;
    huge.dims = dims;
    huge.has_data_type = huge.data_type = 1;
    huge.n_external_data = 1;
    huge.external_data = entries;
    for (size_t k = 0; k < 200; k++)
        tensors[k] = &huge;
    OnnxTensor **own = onnx->graph->initializer;
    size_t n_own = onnx->graph->n_initializer;
    onnx->graph->initializer = tensors;
    onnx->graph->n_initializer = 200;
    bytes = realloc(bytes, celltap__onnx__model__get_packed_size(onnx));
    place_write(&place, "model.onnx", bytes, celltap__onnx__model__pack(onnx, bytes));
    place_write(&place, "hole", "", 0);
    snprintf(path, sizeof path, "%s/hole", place.folder);
    ck_assert_int_eq(truncate(path, 64 << 20), 0);
    ck_assert_int_eq(celltap_model_load(place.model, &model, &said), CELLTAP_EREFUSED);
    ck_assert_msg(strstr(said.text, "larger than 2 GiB") != NULL, "%s", said.text);
    onnx->graph->initializer = own;
    onnx->graph->n_initializer = n_own;
    celltap__onnx__model__free_unpacked(onnx, NULL);
    free(bytes);
    place_remove(&place);
}
END_TEST

START_TEST(test_external_when_bytes_are_wrong_then_refused_or_loaded_whole)
{
    static const unsigned char flips[] = {0x01, 0x80, 0xff};
    struct place place = place_new();
    unsigned char bytes[1 << 14];
    place_put(&place, GRAPH, (struct claim){0});
    FILE *file = fopen(place.model, "rb");
    size_t n_bytes = fread(bytes, 1, sizeof bytes, file), n_loaded = 0;
    fclose(file);
    ck_assert_uint_lt(n_bytes, sizeof bytes);
    for (size_t at = 0; at < n_bytes; at++)
        for (size_t f = 0; f < sizeof flips; f++) {
            celltap_model *model = NULL;
            struct celltap_diagnosis said = {0};
            long before = alloc_n_alive();
            bytes[at] ^= flips[f];
            place_write(&place, "model.onnx", bytes, n_bytes);
            int err = celltap_model_load(place.model, &model, &said);
            ck_assert((err == 0) == (model != NULL));
            ck_assert(err == 0 || said.text[0] != '\0');
            n_loaded += err == 0;
            celltap_model_unref(model);
            ck_assert_int_eq(alloc_n_alive(), before);
            bytes[at] ^= flips[f];
        }
    ck_assert_uint_lt(n_loaded, 3 * n_bytes / 2);
    place_remove(&place);
}
END_TEST

START_TEST(test_external_when_memory_ends_anywhere_then_nothing_is_left)
{
    struct place place = place_new();
    size_t n_failed = 0;
    int err = CELLTAP_ENOMEM;
    place_put(&place, GRAPH, (struct claim){0});
    for (long n = 0; err == CELLTAP_ENOMEM; n++, n_failed++) {
        celltap_model *model = NULL;
        struct celltap_diagnosis said = {0};
        long before = alloc_n_alive();
        alloc_fail_after(n);
        err = celltap_model_load(place.model, &model, &said);
        alloc_fail_after(-1);
        ck_assert((err == 0) == (model != NULL));
        ck_assert(err == 0 || strstr(said.text, "memory") != NULL);
        celltap_model_unref(model);
        ck_assert_int_eq(alloc_n_alive(), before);
    }
    ck_assert_int_eq(err, 0);
    ck_assert_uint_gt(n_failed, 5);
    place_remove(&place);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        test_external_when_data_is_beside_then_is_the_model_with_data_inside,
        test_external_when_read_then_hash_is_what_it_always_was,
        test_external_when_an_attribute_is_a_tensor_then_its_data_is_read_too,
        test_external_when_a_number_changes_then_is_another_model,
        test_external_when_all_is_inside_then_bytes_are_the_files,
        test_external_when_a_link_or_folder_stays_below_then_loads,
        test_external_when_it_claims_what_is_not_so_then_says_what,
        test_external_when_model_file_is_a_fifo_then_is_not_waited_for,
        test_external_when_many_say_they_are_the_same_huge_part_then_refused,
        test_external_when_bytes_are_wrong_then_refused_or_loaded_whole,
        test_external_when_memory_ends_anywhere_then_nothing_is_left,
        NULL,
    };
    return suite_run("onnx_external", tests, 60);
}
