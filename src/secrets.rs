//! Tokens and passwords: made, hashed, checked. Nothing here is ever logged or stored in clear.
//!
//! Knows no user and no room.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use crossbeam_channel::{Sender, bounded};
use sha2::{Digest, Sha256};

use crate::model::{AVATARS, KeyHash, Refusal, TokenHash};
use crate::turns::Turns;

/// Hashings at a time, each 19 MiB of memory and a core for a while: what a Raspberry Pi has to
/// spare beside the chat.
const AT_A_TIME: usize = 2;

/// A new token: 64 lowercase hexadecimal digits from the operating system's random source, and
/// what is stored of it.
pub fn new_token() -> Result<(String, TokenHash), Refusal> {
    let token = digits::<32>()?;
    let hash = hash_token(&token);
    Ok((token, hash))
}

/// A new owner key: 32 lowercase hexadecimal digits, for a link that a person can pass on, and what
/// is stored of it.
pub fn new_key() -> Result<(String, KeyHash), Refusal> {
    let key = digits::<16>()?;
    let hash = hash_key(&key);
    Ok((key, hash))
}

pub fn hash_key(key: &str) -> KeyHash {
    KeyHash(Sha256::digest(key.as_bytes()).into())
}

/// So many random bytes, as lowercase hexadecimal digits.
fn digits<const BYTES: usize>() -> Result<String, Refusal> {
    let mut bytes = [0; BYTES];
    random(&mut bytes)?;
    let mut digits = String::with_capacity(2 * BYTES);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(digits)
}

pub fn hash_token(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token.as_bytes()).into())
}

/// One of the avatars, by chance.
pub fn any_avatar() -> Result<u8, Refusal> {
    let mut byte = [0];
    random(&mut byte)?;
    Ok(byte[0] % AVATARS)
}

fn random(bytes: &mut [u8]) -> Result<(), Refusal> {
    getrandom::fill(bytes).map_err(|e| {
        log::error!("the system gives no random bytes: {e}");
        Refusal::Busy
    })
}

/// Hashes passwords with argon2id (RFC 9106), a bounded number at a time.
/// Turns go round by address: whoever sends a thousand guesses waits behind itself.
pub struct Passwords {
    turns: Turns<IpAddr>,
    /// Checked where there is no user, so that it takes as long as a wrong password.
    nobody: OnceLock<Arc<str>>,
    /// None until a hashing thread could be made.
    tasks: Mutex<Option<Tasks>>,
}

impl Default for Passwords {
    fn default() -> Self {
        Passwords {
            turns: Turns::new(AT_A_TIME, usize::MAX),
            nobody: OnceLock::new(),
            tasks: Mutex::new(None),
        }
    }
}

impl Passwords {
    /// Waits for a turn and works in it.
    pub fn in_turn<T>(
        &self,
        from: IpAddr,
        work: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.turns.take(from, work)
    }

    /// The PHC string of a password, with a salt of its own.
    pub fn hash(&self, password: &str, from: IpAddr) -> Result<Arc<str>, Refusal> {
        let task = Task::Hash(password.to_owned());
        match self.in_turn(from, || self.work(task))? {
            Done::Hashed(hash) => Ok(hash),
            Done::Checked(_) | Done::Failed => Err(Refusal::Busy),
        }
    }

    /// Whether a password is the one of a hash; None: of nobody's, which takes as long. In a turn
    /// only.
    pub fn check(&self, password: &str, hash: Option<&str>) -> Result<bool, Refusal> {
        let hash = match hash {
            Some(hash) => hash.into(),
            None => self.nobody()?,
        };
        match self.work(Task::Check(password.to_owned(), hash))? {
            Done::Checked(right) => Ok(right),
            Done::Hashed(_) | Done::Failed => Err(Refusal::Busy),
        }
    }

    fn nobody(&self) -> Result<Arc<str>, Refusal> {
        if let Some(hash) = self.nobody.get() {
            return Ok(hash.clone());
        }
        match self.work(Task::Hash("nobody".into()))? {
            Done::Hashed(hash) => Ok(self.nobody.get_or_init(|| hash).clone()),
            Done::Checked(_) | Done::Failed => Err(Refusal::Busy),
        }
    }

    /// On one of the hashing threads. Whoever has a turn finds one free.
    fn work(&self, task: Task) -> Result<Done, Refusal> {
        let (answer, answered) = bounded(1);
        let handed = self.tasks()?.send((task, answer));
        let done = handed.ok().and_then(|()| answered.recv().ok());
        done.ok_or(Refusal::Busy)
    }

    /// Where the hashing threads take their work; they are made when first needed. If the system
    /// gives none now, it may the next time.
    fn tasks(&self) -> Result<Tasks, Refusal> {
        // Nothing under it can panic half way.
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.is_none() {
            *tasks = start_hashing();
        }
        tasks.clone().ok_or(Refusal::Busy)
    }
}

enum Task {
    Hash(String),
    Check(String, Arc<str>),
}

enum Done {
    Hashed(Arc<str>),
    Checked(bool),
    Failed,
}

type Tasks = Sender<(Task, Sender<Done>)>;

/// Threads of their own, so that the memory of a hashing is used again: an allocator keeps what a
/// thread gave back for that thread, and a thousand connections would keep 19 MiB each. They end
/// with the last sender. None if not one could be made.
fn start_hashing() -> Option<Tasks> {
    let mut made = 0;
    let (tasks, todo) = bounded::<(Task, Sender<Done>)>(AT_A_TIME);
    for n in 1..=AT_A_TIME {
        let todo = todo.clone();
        let run = move || {
            // Once it is needed, kept: an allocator gave each hashing another 19 MiB.
            let mut memory = vec![];
            for (task, answer) in todo {
                let _ = answer.send(do_task(&task, &mut memory));
            }
        };
        let started = thread::Builder::new().name(format!("hash-{n}")).spawn(run);
        match started {
            Ok(_) => made += 1,
            Err(e) => log::error!("no thread for hashing passwords: {e}"),
        }
    }
    (made > 0).then_some(tasks)
}

fn do_task(task: &Task, memory: &mut Vec<Block>) -> Done {
    match task {
        Task::Hash(password) => match hash(password, memory) {
            Ok(hash) => Done::Hashed(hash.to_string().into()),
            Err(e) => {
                log::error!("a password cannot be hashed: {e}");
                Done::Failed
            }
        },
        Task::Check(password, stored) => {
            let checked = PasswordHash::new(stored).map_err(|e| e.to_string());
            let checked = checked.and_then(|hash| Ok(again(password, &hash, memory)? == hash.hash));
            Done::Checked(checked.unwrap_or_else(|e| {
                log::error!("a stored password hash is damaged: {e}");
                false
            }))
        }
    }
}

/// The PHC string of a password, as argon2's own `hash_password` makes it, in memory that is used
/// again.
fn hash(password: &str, memory: &mut Vec<Block>) -> Result<PasswordHash, String> {
    let argon2 = Argon2::default();
    let mut salt = [0; Salt::RECOMMENDED_LENGTH];
    random(&mut salt).map_err(|_| "no random bytes".to_owned())?;
    let hash = Some(output(&argon2, password, &salt, memory)?);
    Ok(PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).map_err(|e| e.to_string())?,
        salt: Some(Salt::new(&salt).map_err(|e| e.to_string())?),
        hash,
    })
}

/// What a password comes to by the algorithm, parameters and salt of a hash.
fn again(
    password: &str,
    by: &PasswordHash,
    memory: &mut Vec<Block>,
) -> Result<Option<Output>, String> {
    let algorithm = Algorithm::try_from(by.algorithm.as_str()).map_err(|e| e.to_string())?;
    let version = by.version.map(Version::try_from).transpose();
    let version = version.map_err(|e| e.to_string())?.unwrap_or_default();
    let params = Params::try_from(by).map_err(|e| e.to_string())?;
    let salt = by.salt.as_ref().ok_or("no salt")?;
    let argon2 = Argon2::new(algorithm, version, params);
    output(&argon2, password, salt, memory).map(Some)
}

fn output(
    argon2: &Argon2,
    password: &str,
    salt: &[u8],
    memory: &mut Vec<Block>,
) -> Result<Output, String> {
    let params = argon2.params();
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    let mut out = vec![0; params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN)];
    let filled = argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut out, memory);
    filled.map_err(|e| e.to_string())?;
    Output::new(&out).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_one_that_argon2_makes_and_checks() {
        use argon2::password_hash::{PasswordHasher, PasswordVerifier};
        let (passwords, here) = (Passwords::default(), IpAddr::from([127, 0, 0, 1]));
        let theirs: PasswordHash = Argon2::default().hash_password(b"114514").unwrap();
        let check = |password| passwords.check(password, Some(&theirs.to_string()));
        assert_eq!((check("114514"), check("114515")), (Ok(true), Ok(false)));
        let ours = passwords.hash("114514", here).unwrap();
        let head = |hash: &str| hash.rsplitn(3, '$').nth(2).map(str::to_owned);
        assert_eq!(head(&ours), head(&theirs.to_string()));
        let verify =
            |password: &str| Argon2::default().verify_password(password.as_bytes(), &*ours);
        assert!(verify("114514").is_ok() && verify("114515").is_err());
        // Of a future with other costs, or of another program.
        let params = Params::new(8 * 1024, 3, 1, Some(24)).unwrap();
        let other = Argon2::new(Algorithm::Argon2i, Version::V0x13, params);
        let other: PasswordHash = other.hash_password(b"114514").unwrap();
        let check = |password| passwords.check(password, Some(&other.to_string()));
        assert_eq!((check("114514"), check("114515")), (Ok(true), Ok(false)));
    }

    #[test]
    fn a_password_opens_its_own_hash_only() {
        let passwords = Passwords::default();
        let here = IpAddr::from([127, 0, 0, 1]);
        let hashed = passwords.hash("114514", here).unwrap();
        assert!(
            hashed.starts_with("$argon2id$") && !hashed.contains("114514"),
            "{hashed}"
        );
        assert_ne!(
            hashed,
            passwords.hash("114514", here).unwrap(),
            "each has its own salt"
        );
        let check = |password, hash| passwords.check(password, hash);
        assert_eq!(check("114514", Some(&*hashed)), Ok(true));
        assert_eq!(check("114515", Some(&*hashed)), Ok(false));
        assert_eq!(check("114514", Some("damaged")), Ok(false));
        assert_eq!(
            check("nobody", None),
            Ok(true),
            "which the caller knows to be nobody"
        );
    }

    #[test]
    fn a_token_is_64_hexadecimal_digits_and_each_is_another() {
        let (token, hash) = new_token().unwrap();
        assert!(token.len() == 64 && token.bytes().all(|b| b"0123456789abcdef".contains(&b)));
        assert_eq!(hash, hash_token(&token));
        assert_ne!(token, new_token().unwrap().0);
    }
}
