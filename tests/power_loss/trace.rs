//! What strace wrote about a program, as steps: what it did to the files of one folder, and what
//! it told others. Knows no database.

/// One system call that succeeded. Line numbers of the log are the time.
pub struct Step {
    /// Not before this line was it asked for.
    pub began: usize,
    /// With this line it was done; never, for what a kill interrupted.
    pub ended: usize,
    pub act: Act,
}

/// Files go by their names in the folder.
#[derive(Debug)]
pub enum Act {
    Create(String),
    Unlink(String),
    Write {
        name: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        name: String,
        len: usize,
    },
    Sync(String),
    SyncFolder,
    /// Bytes that left for a socket or a pipe.
    Told(Vec<u8>),
}

/// Everything by which a program can change a file's bytes, its name or their durability, and
/// speak. What is not understood below is refused there, not passed over.
pub const CALLS: &str = "trace=?open,openat,?openat2,?creat,?unlink,unlinkat,?rename,renameat,\
    ?renameat2,?link,linkat,?symlink,symlinkat,truncate,ftruncate,fallocate,write,writev,pwrite64,\
    pwritev,?pwritev2,fsync,fdatasync,sync_file_range,sync,syncfs,sendto,sendmsg,sendmmsg,sendfile,\
    splice,copy_file_range,mmap,msync,?io_uring_setup,?io_uring_enter";

/// Text as strace shows it with `-xx`.
pub fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("\\x{b:02x}")).collect()
}

/// Reads a log made with `-f -y -xx`, and `-s` past the longest write.
pub fn read(log: &str, folder: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    // Calls under way: thread, line, text so far.
    let mut open: Vec<(&str, usize, String)> = Vec::new();
    for (line, text) in log.lines().enumerate() {
        let (thread, text) = text.split_once(' ').expect("a thread's number");
        let text = text.trim_start();
        let under_way = open.iter().position(|(other, ..)| *other == thread);
        if text.starts_with("+++") || text.starts_with("---") {
            // Killed in a call: a write is done by then, only its end was not seen.
            if let Some(at) = under_way.filter(|_| text.starts_with("+++")) {
                let (_, began, call) = open.swap_remove(at);
                steps.extend(step(&call, folder, None).map(|act| Step {
                    began,
                    ended: never_for(&act, line),
                    act,
                }));
            }
        } else if let Some(call) = text.strip_suffix(" <unfinished ...>") {
            open.push((thread, line, call.to_string()));
        } else {
            let (began, call) = match text.strip_prefix("<... ") {
                None => (line, text.to_string()),
                Some(rest) => {
                    let at = under_way.unwrap_or_else(|| panic!("{line}: nothing to resume"));
                    let (_, began, mut call) = open.swap_remove(at);
                    let rest = rest.split_once(" resumed>").expect("resumed").1;
                    call.push_str(rest);
                    (began, call)
                }
            };
            let (call, result) = call
                .rsplit_once(" = ")
                .unwrap_or_else(|| panic!("{line}: no result"));
            // So ends what a kill interrupted.
            let call = call.replace(" <unfinished ...>", "").trim_end().to_string();
            let result = result.split([' ', '<']).next().expect("a first word");
            if result == "?" {
                steps.extend(step(&call, folder, None).map(|act| Step {
                    began,
                    ended: never_for(&act, line),
                    act,
                }));
                continue;
            }
            let act = step(&call, folder, Some(result));
            steps.extend(act.map(|act| Step {
                began,
                ended: line,
                act,
            }));
        }
    }
    // Of a thread that was killed in a call strace does not always write the end.
    for (_, began, call) in open {
        steps.extend(step(&call, folder, None).map(|act| Step {
            began,
            ended: never_for(&act, began),
            act,
        }));
    }
    steps.sort_by_key(|step| step.began);
    steps
}

/// The end of a call whose end a kill hid.
fn never_for(act: &Act, line: usize) -> usize {
    match act {
        Act::Sync(_) | Act::SyncFolder => usize::MAX,
        _ => line,
    }
}

/// What a call did; None where that is nothing here. `result` is None for an unknown one.
fn step(call: &str, folder: &str, result: Option<&str>) -> Option<Act> {
    let (name, rest) = call.split_once('(').expect("a call");
    let strings: Vec<Vec<u8>> = rest.split('"').skip(1).step_by(2).map(unhex).collect();
    let string = |n: usize| String::from_utf8(strings[n].clone()).expect("a path");
    let within = |path: &str| -> Option<String> {
        let name = path.strip_prefix(folder)?.strip_prefix('/')?.to_string();
        // Shared memory of the running process, made anew by the next one.
        (!name.ends_with("-shm")).then_some(name)
    };
    // The file behind the descriptor that is the first argument of most calls, if it has a name.
    let file = || -> Option<String> {
        let (_, path) = rest.split_once('<')?;
        let (path, after) = path.split_once('>')?;
        let path = String::from_utf8(unhex(path)).expect("a path");
        (!after.starts_with("(deleted)")).then_some(path)
    };
    let failed = result.is_some_and(|r| r.starts_with('-'));
    let unknown = || panic!("parlor does what this test does not know yet: {call:.300}");
    let number = |from_end: usize| -> usize {
        let args = rest.trim_end_matches(')').rsplit(", ");
        let arg = args.into_iter().nth(from_end).expect("an argument");
        arg.trim().parse().unwrap_or_else(|_| unknown())
    };
    match name {
        "open" | "openat" | "openat2" | "creat" => {
            let name = within(&string(0)).filter(|_| !failed)?;
            if rest.contains("O_TRUNC") || name.contains('/') {
                unknown();
            }
            rest.contains("O_CREAT").then_some(Act::Create(name))
        }
        "unlink" | "unlinkat" => within(&string(0)).filter(|_| !failed).map(Act::Unlink),
        "pwrite64" => {
            let name = within(&file()?)?;
            let mut bytes = strings.into_iter().next().expect("bytes");
            if let Some(result) = result {
                bytes.truncate(result.parse().unwrap_or_else(|_| unknown()));
            }
            Some(Act::Write {
                name,
                at: number(0),
                bytes,
            })
        }
        "ftruncate" => {
            let name = within(&file()?)?;
            if failed {
                unknown();
            }
            Some(Act::Truncate {
                name,
                len: number(0),
            })
        }
        "fsync" | "fdatasync" => {
            let path = file()?;
            if failed {
                unknown();
            }
            if path == folder {
                return Some(Act::SyncFolder);
            }
            within(&path).map(Act::Sync)
        }
        "write" | "writev" | "sendto" | "sendmsg" => {
            if file().is_some_and(|path| within(&path).is_some()) {
                unknown();
            }
            (!failed).then(|| Act::Told(strings.concat()))
        }
        "mmap" => {
            let shared = rest.contains("PROT_WRITE") && rest.contains("MAP_SHARED");
            if shared && file().is_some_and(|path| within(&path).is_some()) {
                unknown();
            }
            None
        }
        _ => {
            // Weaker or stranger than a disk model of writes, syncs and names.
            let paths = strings.iter().map(|s| String::from_utf8_lossy(s));
            let touched = paths
                .chain(file().map(Into::into))
                .any(|path| path.starts_with(folder));
            if touched || name.starts_with("io_uring") {
                unknown();
            }
            None
        }
    }
}

/// `\x68\x69` as bytes; anything else as it is.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |b: u8| (b as char).to_digit(16).expect("a digit") as u8;
    let text = text.as_bytes();
    if !text.starts_with(b"\\x") {
        return text.to_vec();
    }
    assert!(text.len().is_multiple_of(4), "all hexadecimal");
    text.chunks(4)
        .map(|c| digit(c[2]) * 16 + digit(c[3]))
        .collect()
}
