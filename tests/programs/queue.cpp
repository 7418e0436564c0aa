// A queue of a template class that is one too long for an instruction or two, and a handler that counts it.
#include <csignal>
#include <cstdlib>

namespace jobs {

template <typename T> struct Queue {
    T *head = nullptr;
    int length = 0;

    __attribute__((noinline)) void push(T *one)
    {
        one->next = head;
        length = length + 1;
        head = one;
    }

    bool whole() const
    {
        int found = 0;
        for (T *at = head; at != nullptr; at = at->next)
            found++;
        return found == length;
    }
};

struct Job {
    Job *next;
};

static Queue<Job> queue;

static void check(int)
{
    if (!queue.whole())
        std::_Exit(1);
}

} // namespace jobs

int main()
{
    std::signal(SIGUSR1, jobs::check);
    static jobs::Job first, second;
    jobs::queue.push(&first);
    jobs::queue.push(&second);
}
