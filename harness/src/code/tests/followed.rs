//! Values that are followed through a function.

use super::*;

const TEXT: &str = "
struct node { struct node *volatile next; };
static volatile long count; static volatile int flag; static struct node *volatile head; static int given;
int other(void);
__attribute__((noinline)) int *location(void) { return &given; }
__attribute__((noinline)) void add(void) { long before = count;
    count = before + 1; }
__attribute__((noinline)) void insert(struct node *node) { node->next = head;
    head = node; }
__attribute__((noinline)) void clear(void) { if (flag)
    flag = 0; }
__attribute__((noinline)) void once(void) { __atomic_fetch_add(&count, 1, __ATOMIC_SEQ_CST); }
__attribute__((noinline)) int looks(void) { volatile int *at = location();
    *at = 0;
    other();
    return *at == 34; /* reads */ }
__attribute__((noinline)) void writes(void) { *(volatile int *)location() = 0; }
__attribute__((noinline)) int other(void) { return 1; }
int main(void) { struct node node; add(); insert(&node); clear(); once(); writes(); return looks(); }
";

fn line(text: &str) -> u32 {
    TEXT.lines().position(|line| line.contains(text)).unwrap() as u32 + 1
}

#[test]
fn an_update_is_a_load_and_a_store_of_what_was_made_from_it() {
    for flags in WAYS {
        let flags = [flags, &["-g"]].concat();
        let built = build_with("cc", "values.c", TEXT, &flags);
        let image = built.image();
        let lines = |name: &str| -> Vec<(u32, u32)> {
            let functions = image.functions_named(name);
            let [function] = &functions[..] else { panic!("{functions:?}") };
            let code = image.instructions(function);
            let line = |address: u64| {
                let found = code.iter().find(|instruction| instruction.address == address).unwrap();
                found.line.as_ref().unwrap().line
            };
            let updates = image.updates(function);
            updates.iter().map(|update| (line(update.load), line(update.store))).collect()
        };
        let add = line("long before");
        assert_eq!(lines("add"), [(add, add + 1)], "{flags:?}");
        let insert = line("node->next");
        assert_eq!(lines("insert"), [(insert, insert + 1)], "{flags:?}");
        for name in ["clear", "once", "looks", "writes"] {
            assert_eq!(lines(name), [], "{name} {flags:?}");
        }
    }
}

#[test]
fn what_a_result_points_to_is_read_where_it_is_read() {
    for flags in WAYS {
        let flags = [flags, &["-g"]].concat();
        let built = build_with("cc", "values.c", TEXT, &flags);
        let image = built.image();
        let lines = |name: &str| -> Vec<u32> {
            let functions = image.functions_named(name);
            let [function] = &functions[..] else { panic!("{functions:?}") };
            let location = image.functions_named("location");
            let code = image.instructions(function);
            let is_call = |instruction: &&Instruction| {
                instruction.flow == Flow::Call(Target::Address(location[0].start))
            };
            let call = code.iter().find(is_call).unwrap();
            let reads = image.reads_through_result(function, call.address + u64::from(call.length));
            let line = |address: &u64| {
                let found = code.iter().find(|instruction| instruction.address == *address).unwrap();
                found.line.as_ref().unwrap().line
            };
            reads.iter().map(line).collect()
        };
        assert_eq!(lines("looks"), [line("/* reads */")], "{flags:?}");
        assert_eq!(lines("writes"), [0; 0], "{flags:?}");
    }
}
