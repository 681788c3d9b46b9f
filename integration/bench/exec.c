/* The least that a wrapper can be: it becomes the runtime. */
#include <unistd.h>
int main(int argc, char **argv) { (void)argc; argv[0] = RUNTIME; execv(RUNTIME, argv); return 127; }
