/* The floor: what counting costs when written by hand in C, with nothing else attached.
 *
 * Every figure of mp_tqdm is given as a ratio to one of these. They do the same add to the same kind
 * of memory (a line of 128 bytes of its own in a shared mapping) through the same kind of slot, and
 * know no bar, no fork and no other process. Two kinds of add: a plain load and store, exact while
 * one thread of one process writes, and a locked one, for comparison.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

/* 128 bytes: adjacent-line prefetching makes pairs of 64-byte lines travel together. */
typedef struct {
    int64_t n;
    char padding[128 - sizeof(int64_t)];
} Line;

static Line *line;

static inline void add_plain(int64_t *n, int64_t k) {
    __atomic_store_n(n, __atomic_load_n(n, __ATOMIC_RELAXED) + k, __ATOMIC_RELAXED);
}

static inline void add_locked(int64_t *n, int64_t k) {
    __atomic_fetch_add(n, k, __ATOMIC_RELAXED);
}

/* Iterators that hand on the items of another and count them. */

typedef struct {
    PyObject_HEAD
    PyObject *inner;
    iternextfunc next;
    int64_t *n;
} Iter;

static PyObject *iter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *iterable;
    if (!PyArg_ParseTuple(args, "O", &iterable)) return NULL;
    PyObject *inner = PyObject_GetIter(iterable);
    if (inner == NULL) return NULL;
    Iter *self = (Iter *)type->tp_alloc(type, 0);
    if (self == NULL) {
        Py_DECREF(inner);
        return NULL;
    }
    self->inner = inner;
    self->next = Py_TYPE(inner)->tp_iternext;
    self->n = &line->n;
    return (PyObject *)self;
}

static void iter_dealloc(PyObject *object) {
    Py_XDECREF(((Iter *)object)->inner);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *iter_next_plain(PyObject *object) {
    Iter *self = (Iter *)object;
    PyObject *item = self->next(self->inner);
    if (item != NULL) add_plain(self->n, 1);
    return item;
}

static PyObject *iter_next_locked(PyObject *object) {
    Iter *self = (Iter *)object;
    PyObject *item = self->next(self->inner);
    if (item != NULL) add_locked(self->n, 1);
    return item;
}

static PyTypeObject IterType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "floor.Iter",
    .tp_basicsize = sizeof(Iter),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = iter_new,
    .tp_dealloc = iter_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iter_next_plain,
};

static PyTypeObject LockedIterType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "floor.LockedIter",
    .tp_basicsize = sizeof(Iter),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = iter_new,
    .tp_dealloc = iter_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iter_next_locked,
};

/* Functions called once an item. */

/* The n of `f()`, `f(3)` and `f(n=3)`; -1 with an exception set for anything else. */
static inline int64_t parse(PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    if (nargs == 0 && names == NULL) return 1;
    if (nargs + (names == NULL ? 0 : PyTuple_GET_SIZE(names)) != 1) {
        PyErr_SetString(PyExc_TypeError, "takes n alone");
        return -1;
    }
    return PyLong_AsLongLong(args[0]);
}

static PyObject *nothing(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    Py_RETURN_NONE;
}

static PyObject *add(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *names) {
    int64_t k = parse(args, nargs, names);
    if (k == -1 && PyErr_Occurred()) return NULL;
    add_plain(&line->n, k);
    Py_RETURN_NONE;
}

static PyObject *locked_add(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *names) {
    int64_t k = parse(args, nargs, names);
    if (k == -1 && PyErr_Occurred()) return NULL;
    add_locked(&line->n, k);
    Py_RETURN_NONE;
}

static PyObject *total(PyObject *self, PyObject *none) {
    return PyLong_FromLongLong(__atomic_load_n(&line->n, __ATOMIC_RELAXED));
}

/* An object that adds, and keeps the keywords of a call, and is nothing else. */

#define KEPT 4

typedef struct {
    PyObject_HEAD
    int64_t *n;
    PyObject *names, *values[KEPT];
} Object;

static PyObject *object_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    Object *self = (Object *)type->tp_alloc(type, 0);
    if (self != NULL) self->n = &line->n;
    return (PyObject *)self;
}

static PyObject *object_add(PyObject *object, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *names) {
    int64_t k = parse(args, nargs, names);
    if (k == -1 && PyErr_Occurred()) return NULL;
    add_plain(((Object *)object)->n, k);
    Py_RETURN_NONE;
}

static PyObject *object_keep(PyObject *object, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *names) {
    Object *self = (Object *)object;
    Py_ssize_t count = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    if (nargs != 0 || count > KEPT) {
        PyErr_SetString(PyExc_TypeError, "takes a few keywords alone");
        return NULL;
    }
    Py_XINCREF(names);
    Py_XSETREF(self->names, names);
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_INCREF(args[i]);
        Py_XSETREF(self->values[i], args[i]);
    }
    Py_RETURN_NONE;
}

static void object_dealloc(PyObject *object) {
    Object *self = (Object *)object;
    Py_XDECREF(self->names);
    for (int i = 0; i < KEPT; i++) Py_XDECREF(self->values[i]);
    Py_TYPE(object)->tp_free(object);
}

#define METHOD(name, doc) \
    {#name, (PyCFunction)(void (*)(void))object_##name, METH_FASTCALL | METH_KEYWORDS, doc}

static PyMethodDef object_methods[] = {
    METHOD(add, "Add n."),
    METHOD(keep, "Keep references to keywords."),
    {NULL},
};

static PyTypeObject ObjectType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "floor.Object",
    .tp_basicsize = sizeof(Object),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = object_new,
    .tp_dealloc = object_dealloc,
    .tp_methods = object_methods,
};

/* The iterable under test: None, `count` times, with the clock read before the first and after the
 * last. A loop over it is timed without the opening and the closing of the bar around it. */

typedef struct {
    PyObject_HEAD
    int64_t left;
    int64_t begin_ns, end_ns;
} Stopwatch;

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static PyObject *stopwatch_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    long long count;
    if (!PyArg_ParseTuple(args, "L", &count)) return NULL;
    Stopwatch *self = (Stopwatch *)type->tp_alloc(type, 0);
    if (self != NULL) self->left = count;
    return (PyObject *)self;
}

static PyObject *stopwatch_next(PyObject *object) {
    Stopwatch *self = (Stopwatch *)object;
    if (self->begin_ns == 0) self->begin_ns = now_ns();
    if (self->left == 0) {
        if (self->end_ns == 0) self->end_ns = now_ns();
        return NULL;
    }
    self->left--;
    Py_RETURN_NONE;
}

static PyObject *stopwatch_seconds(PyObject *object, void *closure) {
    Stopwatch *self = (Stopwatch *)object;
    if (self->end_ns == 0) {
        PyErr_SetString(PyExc_RuntimeError, "the loop did not come to its end");
        return NULL;
    }
    return PyFloat_FromDouble((double)(self->end_ns - self->begin_ns) * 1e-9);
}

static PyGetSetDef stopwatch_properties[] = {
    {"seconds", stopwatch_seconds, NULL, "From the first item asked for to the end.", NULL},
    {NULL},
};

static PyTypeObject StopwatchType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "floor.Stopwatch",
    .tp_basicsize = sizeof(Stopwatch),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = stopwatch_new,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = stopwatch_next,
    .tp_getset = stopwatch_properties,
};

/* The module. */

#define FUNCTION(name, doc) \
    {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, doc}

static PyMethodDef functions[] = {
    FUNCTION(nothing, "Return None."),
    FUNCTION(add, "Add n by a plain load and store."),
    FUNCTION(locked_add, "Add n by a locked add."),
    {"total", total, METH_NOARGS, "What was added so far."},
    {NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "floor", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit_floor(void) {
    line = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (line == MAP_FAILED) return PyErr_SetFromErrno(PyExc_OSError);
    PyObject *self = PyModule_Create(&module);
    if (self == NULL || PyModule_AddType(self, &IterType) < 0 ||
        PyModule_AddType(self, &LockedIterType) < 0 || PyModule_AddType(self, &ObjectType) < 0 ||
        PyModule_AddType(self, &StopwatchType) < 0)
        return NULL;
    return self;
}
