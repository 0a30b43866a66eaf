/* embed_step.c - steps a model on numbers from standard input and prints one layer's states.
 *
 *     cc embed_step.c $(pkg-config --cflags --libs celltap) -o embed_step
 *     seq 1 60 | ./embed_step model.onnx              its first layer that has a hidden state
 *     seq 1 60 | ./embed_step model.onnx lstms.1
 *
 *     numbers --as many as the model reads--> x[] --celltap_step--> panel --> h, c of one layer
 *
 * Numbers are separated by blanks, commas or ends of lines; as many as the model reads are one
 * timestep. */
#include <celltap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_FOUND ((size_t)-1)

static size_t find_tensor(const celltap_model *model, size_t layer_ix, const char *name)
{
    for (size_t i = 0; i < celltap_layer_n_tensors(model, layer_ix); i++)
        if (strcmp(celltap_tensor_name(model, layer_ix, i), name) == 0)
            return i;
    return NOT_FOUND;
}

/* The layer of this name; without a name the first one with a hidden state. */
static size_t find_layer(const celltap_model *model, const char *name)
{
    for (size_t i = 0; i < celltap_model_n_layers(model); i++)
        if (name != NULL ? strcmp(celltap_layer_name(model, i), name) == 0
                         : find_tensor(model, i, "h") != NOT_FOUND)
            return i;
    return NOT_FOUND;
}

static void print_layers(const celltap_model *model)
{
    printf("# %zu values a timestep; layers:", celltap_model_n_values(model));
    for (size_t i = 0; i < celltap_model_n_layers(model); i++)
        printf(" %s", celltap_layer_name(model, i));
    printf("\n");
}

/* False at the end of the input. */
static bool read_frame(float *x, size_t n_values)
{
    for (size_t i = 0; i < n_values; i++)
        if (scanf("%f%*[ \t,]", &x[i]) != 1)
            return false;
    return true;
}

static void print_tensor(const celltap_model *model, const celltap_panel *panel, size_t layer_ix,
                         const char *name)
{
    size_t tensor_ix = find_tensor(model, layer_ix, name);
    if (tensor_ix == NOT_FOUND)
        return;
    const float *values = celltap_panel_tensor(panel, 0, layer_ix, tensor_ix);
    printf(" %s", name);
    for (size_t i = 0; i < celltap_tensor_size(model, layer_ix, tensor_ix); i++)
        printf(" %.9g", (double)values[i]);
}

/* A dense layer has neither h nor c: its output is printed. */
static void print_step(const celltap_model *model, const celltap_panel *panel, size_t layer_ix,
                       unsigned long timestep)
{
    bool has_states = find_tensor(model, layer_ix, "h") != NOT_FOUND;
    printf("%lu", timestep);
    print_tensor(model, panel, layer_ix, has_states ? "h" : "output");
    print_tensor(model, panel, layer_ix, "c");
    printf("\n");
}

/* One stream, in a panel of one column. */
static int step_all(celltap_model *model, size_t layer_ix)
{
    size_t n_values = celltap_model_n_values(model);
    celltap_stream *stream = NULL;
    celltap_panel *panel = NULL;
    float *x = calloc(n_values + 1, sizeof *x);
    int err = x == NULL ? CELLTAP_ENOMEM : celltap_stream_new(model, &stream);
    if (err == 0)
        err = celltap_panel_new(model, 1, &panel);
    for (unsigned long timestep = 1; err == 0 && read_frame(x, n_values); timestep++) {
        err = celltap_step(panel, stream, x, n_values);
        if (err == 0)
            print_step(model, panel, layer_ix, timestep);
    }
    celltap_panel_free(panel);
    celltap_stream_free(stream);
    free(x);
    return err;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: embed_step MODEL.onnx [LAYER] < NUMBERS\n");
        return 2;
    }
    celltap_model *model = NULL;
    struct celltap_diagnosis why;
    int err = celltap_model_load(argv[1], &model, &why);
    if (err < 0) {
        fprintf(stderr, "embed_step: %s: %s: %s%s%s\n", argv[1], celltap_strerror(err), why.node,
                why.node[0] != '\0' ? ": " : "", why.text);
        return 1;
    }
    print_layers(model);
    const char *name = argc == 3 ? argv[2] : NULL;
    size_t layer_ix = find_layer(model, name);
    if (layer_ix == NOT_FOUND) {
        fprintf(stderr, "embed_step: there is no layer %s\n", name != NULL ? name : "with states");
        celltap_model_unref(model);
        return 1;
    }
    err = step_all(model, layer_ix);
    celltap_model_unref(model);
    if (err < 0)
        fprintf(stderr, "embed_step: %s\n", celltap_strerror(err));
    return err < 0 ? 1 : 0;
}
