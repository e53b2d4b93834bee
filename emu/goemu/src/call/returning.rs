//! Calls of which only their return matters, made very often: nothing is read of the
//! guest, and there is no report.

use crate::call::function::Function;
use crate::error::Error;
use crate::go::value::Value;
use crate::machine::Machine;

impl Function {
    /// Calls it from the machine's starting state, and counts the instructions. `None` where it does not return, somebody
    /// watches, or another runtime has to serve it: [`Function::call`] makes the same run, and tells how it ends.
    pub(crate) fn returns(&self, machine: &mut Machine, args: &[Value]) -> Option<u64> {
        if !machine.is_plain(self.entry()) {
            return None;
        }
        machine.serve_plain(|machine| self.returns_here(machine, args).ok().flatten())
    }

    fn returns_here(&self, machine: &mut Machine, args: &[Value]) -> Result<Option<u64>, Error> {
        let mut under_way = self.begin(machine, args)?;
        let returned = machine.run(&mut under_way.fuel)?.is_none();
        Ok(returned.then(|| under_way.instructions(machine)))
    }
}
