/* What starting and ending a process costs: the measure for the hook. */
int main(void) { return 0; }
