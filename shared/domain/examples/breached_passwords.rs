//! Makes the filter of breached passwords from a list, one a line, most common first. Prints how many the estimator lets pass:
//! only those are in the filter.
#![expect(clippy::print_stdout, reason = "a command")]

use std::{collections::BTreeSet, error::Error, fs};

use domain::{
    breached_passwords::{DESCRIPTOR, key_of},
    password::Password,
};
use xorf::{BinaryFuse16, DmaSerializable};

/// How many entries count: their filter has less than 200 kB.
const MOST: usize = 800_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(list), Some(filter)) = (arguments.next(), arguments.next()) else {
        return Err("usage: breached_passwords <list> <filter>".into());
    };
    let list = fs::read(list)?;
    let (mut allowed, mut keys) = (0_usize, BTreeSet::new());
    for line in String::from_utf8_lossy(&list).lines().take(MOST) {
        let Ok(password) = Password::parse(line) else { continue };
        allowed += 1;
        if password.judge_strength(&[]).is_ok() {
            keys.insert(key_of(password.expose()));
        }
    }
    let keys: Vec<u64> = keys.into_iter().collect();
    let made = BinaryFuse16::try_from(&keys)?;
    let mut bytes = vec![0; DESCRIPTOR];
    let descriptor = bytes.get_mut(..BinaryFuse16::DESCRIPTOR_LEN).ok_or("the descriptor is too long")?;
    made.dma_copy_descriptor_to(descriptor);
    bytes.extend(made.dma_fingerprints());
    println!("{allowed} entries have an allowed length, {} of them pass the estimator", keys.len());
    println!("{} bytes", bytes.len());
    fs::write(filter, bytes)?;
    Ok(())
}
