import CFuzzer
import Glibc

// Runs one target under libFuzzer: `fuzz TARGET [libFuzzer's options and corpus folders]`. See `make fuzz`.

let names = FuzzTarget.allCases.map(\.rawValue)
if CommandLine.arguments.dropFirst() == ["list"] {
    print(names.joined(separator: "\n"))
    exit(0)
}
guard CommandLine.arguments.count > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
    let usage = "usage: fuzz list | TARGET …, one of: \(names.joined(separator: " "))\n"
    unsafe write(STDERR_FILENO, usage, usage.utf8.count)
    exit(2)
}

/// What the callback runs: a C function captures nothing but globals, and what a `guard` binds is none.
let chosen = target

// libFuzzer must not see the target's name, and keeps its arguments for as long as the process runs.
let arguments = [CommandLine.arguments[0]] + CommandLine.arguments.dropFirst(2)
var argumentCount = CInt(arguments.count)
var argumentValues: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = .allocate(
    capacity: arguments.count + 1
)
for (index, argument) in arguments.enumerated() { unsafe argumentValues?[index] = strdup(argument) }
unsafe argumentValues?[arguments.count] = nil

exit(
    unsafe LLVMFuzzerRunDriver(&argumentCount, &argumentValues) { bytes, count in
        unsafe chosen.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
        return 0
    }
)
