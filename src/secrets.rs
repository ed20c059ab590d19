//! Tokens and passwords: made, hashed, checked. Nothing here is ever logged or stored in clear.
//!
//! Knows no user and no room.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use crossbeam_channel::{Receiver, Sender, bounded};
use sha2::{Digest, Sha256};

use crate::model::{AVATARS, Refusal, TokenHash};

/// Hashings at a time, each 19 MiB of memory and a core for a while: what a Raspberry Pi has to
/// spare beside the chat.
const AT_A_TIME: usize = 2;
/// How long one waits for its turn: a class of thirty takes a few seconds on a Pi.
const TURN_PATIENCE: Duration = Duration::from_secs(10);

/// A new token: 64 lowercase hexadecimal digits from the operating system's random source, and
/// what is stored of it.
pub fn new_token() -> Result<(String, TokenHash), Refusal> {
    let mut bytes = [0; 32];
    random(&mut bytes)?;
    let mut token = String::with_capacity(64);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    let hash = hash_token(&token);
    Ok((token, hash))
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

/// Hashes passwords with argon2id (RFC 9106), a bounded number at a time, on the caller's thread.
pub struct Passwords {
    turns: Receiver<()>,
    back: Sender<()>,
    /// Checked where there is no user, so that it takes as long as a wrong password.
    nobody: OnceLock<Arc<str>>,
}

impl Default for Passwords {
    fn default() -> Self {
        let (back, turns) = bounded(AT_A_TIME);
        for _ in 0..AT_A_TIME {
            // It holds that many.
            let _ = back.send(());
        }
        Passwords {
            turns,
            back,
            nobody: OnceLock::new(),
        }
    }
}

impl Passwords {
    fn in_turn<T>(&self, work: impl FnOnce() -> T) -> Result<T, Refusal> {
        struct Turn<'a>(&'a Sender<()>);
        impl Drop for Turn<'_> {
            fn drop(&mut self) {
                let _ = self.0.try_send(());
            }
        }
        self.turns
            .recv_timeout(TURN_PATIENCE)
            .map_err(|_| Refusal::Busy)?;
        let _turn = Turn(&self.back);
        Ok(work())
    }

    /// The PHC string of a password, with a salt of its own.
    pub fn hash(&self, password: &str) -> Result<Arc<str>, Refusal> {
        let hashed: Result<PasswordHash, _> =
            self.in_turn(|| Argon2::default().hash_password(password.as_bytes()))?;
        match hashed {
            Ok(hash) => Ok(hash.to_string().into()),
            Err(e) => {
                log::error!("a password cannot be hashed: {e}");
                Err(Refusal::Busy)
            }
        }
    }

    pub fn check(&self, password: &str, hash: &str) -> Result<bool, Refusal> {
        let Ok(hash) = PasswordHash::new(hash) else {
            log::error!("a stored password hash is damaged");
            return Ok(false);
        };
        self.in_turn(|| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
    }

    /// As `check` for a user that does not exist: false, after as long.
    pub fn check_nobody(&self, password: &str) -> Result<bool, Refusal> {
        let nobody = match self.nobody.get() {
            Some(hash) => hash.clone(),
            None => {
                let hash = self.hash("nobody")?;
                self.nobody.get_or_init(|| hash).clone()
            }
        };
        self.check(password, &nobody).map(|_| false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_opens_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("114514").unwrap();
        assert!(
            hash.starts_with("$argon2id$") && !hash.contains("114514"),
            "{hash}"
        );
        assert_ne!(hash, passwords.hash("114514").unwrap());
        assert_eq!(passwords.check("114514", &hash), Ok(true));
        assert_eq!(passwords.check("114515", &hash), Ok(false));
        assert_eq!(passwords.check("114514", "damaged"), Ok(false));
        assert_eq!(passwords.check_nobody("nobody"), Ok(false));
    }

    #[test]
    fn a_token_is_64_hexadecimal_digits_and_each_is_another() {
        let (token, hash) = new_token().unwrap();
        assert!(token.len() == 64 && token.bytes().all(|b| b"0123456789abcdef".contains(&b)));
        assert_eq!(hash, hash_token(&token));
        assert_ne!(token, new_token().unwrap().0);
    }
}
