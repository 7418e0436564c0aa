//! From a place as people write it to addresses.

use super::demangle::{demangle, ends_in, is_mangled, other_names, without_clone};
use super::symbols::FunctionSymbol;
use super::{CodeError, Image, Place, Spot};
use std::sync::PoisonError;

/// How many names an error offers.
const OFFERED: usize = 5;

impl Image {
    /// The addresses of a place in this file, sorted; at least one. The place's module is the caller's affair.
    ///
    /// A function gives the start of each function of this name, as static functions of several files may share one, and
    /// the start of each inlined copy. It is found by the linker's name, or the demangled one, with or without parameters;
    /// if no function has that whole name, by the end of it after a `::`.
    ///
    /// A line gives each place where a statement of it begins, copies included. With optimisation several statements may
    /// begin at one instruction, and [`Image::describe`] then names the last of them.
    pub fn resolve(&self, place: &Place) -> Result<Vec<u64>, CodeError> {
        let known = || self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(addresses) = known().get(place) {
            return Ok(addresses.clone());
        }
        let addresses = self.found(place)?;
        known().insert(place.clone(), addresses.clone());
        Ok(addresses)
    }

    fn found(&self, place: &Place) -> Result<Vec<u64>, CodeError> {
        let mut addresses = match place.spot() {
            Spot::Function { name, offset: 0 } => self.starts_of(name)?,
            Spot::Function { name, offset } => self.at_offset(name, *offset)?,
            Spot::Line { file, line } => self.at_line(file, *line)?,
        };
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    /// The functions of this name that have code of their own.
    pub fn functions_named(&self, name: &str) -> Vec<super::Function> {
        let mut found: Vec<_> = self.symbols_named(name).into_iter().map(FunctionSymbol::function).collect();
        found.dedup_by_key(|function| function.start);
        found
    }

    fn symbols_named(&self, name: &str) -> Vec<&FunctionSymbol> {
        let functions = &self.symbols().functions;
        let wanted = Wanted::new(name);
        let find = |fits: &dyn Fn(&str) -> bool| -> Vec<&FunctionSymbol> {
            functions.iter().filter(|function| fits(&function.symbol)).collect()
        };
        let tries: [&dyn Fn(&str) -> bool; 3] = [
            &|symbol| wanted.is(symbol),
            &|symbol| without_clone(symbol) != symbol && wanted.is(without_clone(symbol)),
            &|symbol| wanted.is_end_of(symbol),
        ];
        tries.iter().map(|fits| find(fits)).find(|found| !found.is_empty()).unwrap_or_default()
    }

    fn inlined_named(&self, name: &str) -> Vec<u64> {
        let Some(memory) = &self.remembered else { return self.copies_of(name) };
        memory.copies(name).unwrap_or_else(|| {
            let copies = self.copies_of(name);
            if self.debug().is_some() {
                memory.add_copies(name, &copies);
            }
            copies
        })
    }

    /// The same, read in the debug information.
    fn copies_of(&self, name: &str) -> Vec<u64> {
        let Some(debug) = self.debug() else { return Vec::new() };
        let inlined = &debug.entries().inlined;
        let wanted = Wanted::new(name);
        let find = |fits: &dyn Fn(&str) -> bool| -> Vec<u64> {
            let copies = inlined.iter().filter(|(symbol, at)| fits(symbol) && self.is_code(*at));
            copies.map(|(_, at)| *at).collect()
        };
        let found = find(&|symbol| wanted.is(symbol));
        if found.is_empty() { find(&|symbol| wanted.is_end_of(symbol)) } else { found }
    }

    fn starts_of(&self, name: &str) -> Result<Vec<u64>, CodeError> {
        let mut starts: Vec<u64> = self.symbols_named(name).iter().map(|function| function.start).collect();
        starts.extend(self.inlined_named(name));
        if starts.is_empty() { Err(self.no_function(name)) } else { Ok(starts) }
    }

    fn at_offset(&self, name: &str, offset: u64) -> Result<Vec<u64>, CodeError> {
        let functions = self.functions_named(name);
        if functions.is_empty() {
            // The form of what has no symbols: the file's name and an address.
            if name == self.name() && self.is_code(offset) {
                return Ok(vec![offset]);
            }
            return Err(self.no_function(name));
        }
        let mut found = Vec::new();
        let mut nearest = None;
        for function in &functions {
            let Some(wanted) = function.start.checked_add(offset) else { continue };
            let boundaries = self.boundaries(function);
            let index = boundaries.partition_point(|boundary| *boundary < wanted);
            if boundaries.get(index) == Some(&wanted) {
                found.push(wanted);
                continue;
            }
            let before = index.checked_sub(1).and_then(|index| boundaries.get(index));
            let near: Vec<String> = [before, boundaries.get(index)]
                .into_iter()
                .flatten()
                .map(|at| format!("{}+{:#x}", function.name, at - function.start))
                .collect();
            let size = function.size;
            let has = if offset >= size { format!("it has {size:#x} bytes; ") } else { String::new() };
            nearest.get_or_insert(match near.as_slice() {
                [] => "its code is not in the file".to_owned(),
                near => format!("{has}the nearest that begin an instruction: {}", near.join(", ")),
            });
        }
        if found.is_empty() {
            let nearest = nearest.unwrap_or_else(|| "no address is that large".to_owned());
            return Err(CodeError::NotAnInstruction { function: name.to_owned(), offset, nearest });
        }
        Ok(found)
    }

    fn at_line(&self, file: &str, line: u32) -> Result<Vec<u64>, CodeError> {
        let module = || self.name().to_owned();
        let no_lines = || CodeError::NoLines { module: module() };
        let lines = self.debug().ok_or_else(no_lines)?.lines();
        if lines.is_empty() {
            return Err(no_lines());
        }
        let files = lines.files(file);
        if files.is_empty() {
            return Err(CodeError::NoFile {
                module: module(),
                file: file.to_owned(),
                hint: hint(lines.names(), file),
            });
        }
        let starts = files.iter().flat_map(|file| lines.starts(*file, line));
        let found: Vec<u64> = starts.filter(|address| self.is_code(*address)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let nearest = files.iter().map(|file| lines.nearest(*file, line));
        let (before, after): (Vec<_>, Vec<_>) = nearest.unzip();
        let before = before.into_iter().flatten().max();
        let after = after.into_iter().flatten().min();
        let near: Vec<String> = [before, after].into_iter().flatten().map(|line| line.to_string()).collect();
        let nearest = if near.is_empty() { "none".to_owned() } else { near.join(" and ") };
        Err(CodeError::NoCode { module: module(), file: file.to_owned(), line, nearest })
    }

    fn no_function(&self, name: &str) -> CodeError {
        let mut names: Vec<String> = self.functions().into_iter().map(|function| function.name).collect();
        names.sort();
        let hint = match names.is_empty() {
            true => ": it has no symbols".to_owned(),
            false => hint(names.iter().map(String::as_str).collect(), name),
        };
        CodeError::NoFunction { module: self.name().to_owned(), name: name.to_owned(), hint }
    }
}

/// The name of a function that is looked for.
struct Wanted<'a> {
    name: &'a str,
    /// What a mangled name must contain, so that most need not be demangled.
    part: &'a str,
}

impl Wanted<'_> {
    fn new(name: &str) -> Wanted<'_> {
        // Operators, the parts in braces and much of `std` have codes instead of names.
        let coded = ["operator", "{", "std::"].iter().any(|code| name.contains(code));
        let path = name.split('(').next().unwrap_or(name);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let part = path.rsplit(|c| !is_name(c)).next().unwrap_or("");
        Wanted { name, part: if coded { "" } else { part } }
    }

    fn is(&self, symbol: &str) -> bool {
        let Wanted { name, .. } = *self;
        symbol == name
            || self.may_be(symbol)
                && (demangle(symbol) == name || other_names(symbol).iter().any(|other| other == name))
    }

    fn is_end_of(&self, symbol: &str) -> bool {
        let ends = |whole: &String| ends_in(whole, self.name);
        self.may_be(symbol) && (ends(&demangle(symbol)) || other_names(symbol).iter().any(ends))
    }

    fn may_be(&self, symbol: &str) -> bool {
        is_mangled(symbol) && symbol.contains(self.part)
    }
}

/// Offers the names that have something in common with the one that is not there, or the only ones that there are.
fn hint(names: Vec<&str>, wanted: &str) -> String {
    let small = wanted.to_lowercase();
    let common = |name: &&&str| {
        let name = name.to_lowercase();
        name.contains(&small) || (name.len() > 2 && small.contains(&name))
    };
    let mut close: Vec<&str> = names.iter().filter(common).take(OFFERED).copied().collect();
    if close.is_empty() && names.len() <= OFFERED {
        close = names;
    }
    if close.is_empty() { String::new() } else { format!("; there is {}", close.join(", ")) }
}
