//! Security descriptors as text (SDDL) and as Windows keeps them: one block of bytes, with offsets in it.

/// `SECURITY_DESCRIPTOR_RELATIVE`: revision, control, and where owner, group, system's list and user's list are.
const HEADER: usize = 20;
const SELF_RELATIVE: u16 = 0x8000;
const ACL_HEADER: usize = 8;
const ACE_HEADER: usize = 8;

/// Names of users and groups: authority and numbers.
const USERS: [(&str, u8, &[u32]); 16] = [
    ("AC", 15, &[2, 1]),
    ("AN", 5, &[7]),
    ("AU", 5, &[11]),
    ("BA", 5, &[32, 544]),
    ("BU", 5, &[32, 545]),
    ("CG", 3, &[1]),
    ("CO", 3, &[0]),
    ("HI", 16, &[0x3000]),
    ("IU", 5, &[4]),
    ("LS", 5, &[19]),
    ("LW", 16, &[0x1000]),
    ("ME", 16, &[0x2000]),
    ("NS", 5, &[20]),
    ("OW", 3, &[4]),
    ("SI", 16, &[0x4000]),
    ("SY", 5, &[18]),
];

/// Kinds of entries.
const KINDS: [(&str, u32); 4] = [("A", 0), ("D", 1), ("AU", 2), ("ML", 0x11)];

/// How entries are inherited and when they audit.
const INHERITANCE: [(&str, u32); 7] =
    [("OI", 1), ("CI", 2), ("NP", 4), ("IO", 8), ("ID", 0x10), ("SA", 0x40), ("FA", 0x80)];

/// What entries allow.
const RIGHTS: [(&str, u32); 27] = [
    ("GA", 0x1000_0000),
    ("GX", 0x2000_0000),
    ("GW", 0x4000_0000),
    ("GR", 0x8000_0000),
    ("SD", 0x1_0000),
    ("RC", 0x2_0000),
    ("WD", 0x4_0000),
    ("WO", 0x8_0000),
    ("FA", 0x1f_01ff),
    ("FR", 0x12_0089),
    ("FW", 0x12_0116),
    ("FX", 0x12_00a0),
    ("KA", 0xf_003f),
    ("KR", 0x2_0019),
    ("KW", 0x2_0006),
    ("NW", 1),
    ("NR", 2),
    ("NX", 4),
    ("CC", 1),
    ("DC", 2),
    ("LC", 4),
    ("SW", 8),
    ("RP", 0x10),
    ("WP", 0x20),
    ("DT", 0x40),
    ("LO", 0x80),
    ("CR", 0x100),
];

/// The bytes of the descriptor that a text describes; `None` for what is not known here (objects' entries, conditions).
pub(super) fn descriptor(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; HEADER];
    let (mut control, mut rest) = (SELF_RELATIVE, text);
    while let Some((part, after)) = rest.split_at_checked(2) {
        let end = next_part(after);
        let value = after.get(..end)?;
        let (field, contents) = match part {
            "O:" => (4, user(value)?),
            "G:" => (8, user(value)?),
            "S:" | "D:" => {
                let is_users = part == "D:";
                let flags = value.find('(').unwrap_or(value.len());
                let [present, protected, inherited, wanted] =
                    if is_users { [4, 0x1000, 0x400, 0x100] } else { [0x10, 0x2000, 0x800, 0x200] };
                control |= present | flags_of(value.get(..flags)?, protected, inherited, wanted)?;
                (if is_users { 16 } else { 12 }, list(value.get(flags..)?)?)
            }
            _ => return None,
        };
        let at = bytes.len() as u32;
        bytes.get_mut(field..field + 4)?.copy_from_slice(&at.to_le_bytes());
        bytes.extend(contents);
        rest = after.get(end..)?;
    }
    bytes[0] = 1;
    bytes[2..4].copy_from_slice(&control.to_le_bytes());
    rest.is_empty().then_some(bytes)
}

/// How many bytes a descriptor has, as its offsets and the sizes there say.
pub(super) fn size(read: impl Fn(u64, &mut [u8]) -> Option<()>) -> Option<u64> {
    let word = |at: u64| {
        let mut word = [0; 4];
        read(at, &mut word).map(|()| word)
    };
    let mut end = HEADER as u64;
    for field in [4, 8, 12, 16] {
        let at = u64::from(u32::from_le_bytes(word(field)?));
        if at == 0 {
            continue;
        }
        let [_, count, low, high] = word(at)?;
        let size =
            if field < 12 { 8 + 4 * u64::from(count) } else { u64::from(u16::from_le_bytes([low, high])) };
        end = end.max(at + size);
    }
    Some(end)
}

/// Where the next part begins: a letter and a colon outside of entries.
fn next_part(text: &str) -> usize {
    let mut inside = false;
    for (at, pair) in text.as_bytes().windows(2).enumerate() {
        match pair[0] {
            b'(' => inside = true,
            b')' => inside = false,
            b'O' | b'G' | b'D' | b'S' if !inside && pair[1] == b':' => return at,
            _ => {}
        }
    }
    text.len()
}

fn flags_of(text: &str, protected: u16, inherited: u16, wanted: u16) -> Option<u16> {
    let (mut flags, mut rest) = (0, text);
    while !rest.is_empty() {
        let pairs = [("P", protected), ("AI", inherited), ("AR", wanted)];
        let (name, flag) = pairs.into_iter().find(|(name, _)| rest.starts_with(name))?;
        flags |= flag;
        rest = &rest[name.len()..];
    }
    Some(flags)
}

/// An access control list.
fn list(text: &str) -> Option<Vec<u8>> {
    let (mut entries, mut count, mut rest) = (Vec::new(), 0_u16, text);
    while let Some(entry) = rest.strip_prefix('(') {
        let (entry, after) = entry.split_once(')')?;
        let fields: Vec<&str> = entry.split(';').collect();
        let [kind, inheritance, rights, "", "", who] = fields[..] else { return None };
        let (_, kind) = KINDS.into_iter().find(|(name, _)| *name == kind)?;
        let (inheritance, rights, who) = (sum(inheritance, &INHERITANCE)?, sum(rights, &RIGHTS)?, user(who)?);
        entries.extend([kind as u8, inheritance as u8]);
        entries.extend(u16::try_from(ACE_HEADER + who.len()).ok()?.to_le_bytes());
        entries.extend(rights.to_le_bytes());
        entries.extend(who);
        (count, rest) = (count.checked_add(1)?, after);
    }
    let mut list = vec![2, 0];
    list.extend(u16::try_from(ACL_HEADER + entries.len()).ok()?.to_le_bytes());
    list.extend(count.to_le_bytes());
    list.extend([0; 2]);
    list.extend(entries);
    rest.is_empty().then_some(list)
}

/// Names of two letters each, or a number.
fn sum(text: &str, names: &[(&str, u32)]) -> Option<u32> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).ok();
    }
    let (mut all, mut rest) = (0, text);
    while !rest.is_empty() {
        let (name, after) = rest.split_at_checked(2)?;
        all |= names.iter().find(|(own, _)| *own == name)?.1;
        rest = after;
    }
    Some(all)
}

/// The SID of a user or group.
fn user(text: &str) -> Option<Vec<u8>> {
    let (authority, numbers) = match USERS.iter().find(|(name, ..)| *name == text) {
        Some((_, authority, numbers)) => (u64::from(*authority), numbers.to_vec()),
        None if text == "WD" => (1, vec![0]),
        None => {
            let mut numbers = text.strip_prefix("S-1-")?.split('-');
            let authority = numbers.next()?.parse().ok().filter(|of| *of < 1 << 48)?;
            (authority, numbers.map(|number| number.parse().ok()).collect::<Option<Vec<u32>>>()?)
        }
    };
    let mut sid = vec![1, u8::try_from(numbers.len()).ok().filter(|count| *count <= 15)?];
    sid.extend(&authority.to_be_bytes()[2..]);
    numbers.iter().for_each(|number| sid.extend(number.to_le_bytes()));
    Some(sid)
}

#[cfg(test)]
mod tests {
    use super::{descriptor, size};

    #[test]
    fn descriptors_are_as_windows_makes_them() {
        let bytes = descriptor("O:SYD:P(A;;GA;;;SY)(A;;GA;;;BA)S:(ML;;NWNRNX;;;HI)").expect("a descriptor");
        let system = [1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];
        let mut expected = vec![1, 0, 0x14, 0x90, 20, 0, 0, 0, 0, 0, 0, 0, 84, 0, 0, 0, 32, 0, 0, 0];
        expected.extend(system);
        expected.extend([2, 0, 52, 0, 2, 0, 0, 0]);
        expected.extend([0, 0, 20, 0, 0, 0, 0, 0x10]);
        expected.extend(system);
        expected.extend([0, 0, 24, 0, 0, 0, 0, 0x10, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]);
        expected.extend([2, 0, 28, 0, 1, 0, 0, 0]);
        expected.extend([0x11, 0, 20, 0, 7, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 16, 0, 0x30, 0, 0]);
        assert_eq!(bytes, expected);
        let read = |at: u64, to: &mut [u8]| {
            to.copy_from_slice(bytes.get(at as usize..at as usize + to.len())?);
            Some(())
        };
        assert_eq!(size(read), Some(bytes.len() as u64));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["X:SY", "O:ZZ", "D:(A;;GA;;;SY", "D:(OA;;GA;guid;;SY)", "O", "D:Q", "O:S-1-x", "é"] {
            assert_eq!(descriptor(text), None, "{text}");
        }
        assert!(descriptor("").is_some() && descriptor("G:S-1-5-21-1-2-3D:PAI(D;OICI;0x1f;;;WD)").is_some());
    }
}
