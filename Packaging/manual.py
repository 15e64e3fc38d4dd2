#!/usr/bin/env python3
"""Writes the manual pages of dht from the same source as its --help.

    manual.py path/to/dht OUTDIR

makes OUTDIR/dht.1, and OUTDIR/dht-COMMAND.1 for every command. SOURCE_DATE_EPOCH, if it is set, is their date.
"""

import json
import os
import subprocess
import sys
import time

EXIT_CODES = [
    ("0", "Success."),
    ("1", "A defect, a full disk, or a promise that was not kept."),
    ("2", "Unknown command, option or parameter."),
    ("3", "Not found."),
    ("4", "A condition does not hold, or a newer record is there."),
    ("5", "Denied: by an allowlist, by permissions, for want of a passphrase."),
    ("6", "Unreachable: no node runs, or no peer answers."),
    ("7", "Done in part, or not in time."),
    ("8", "Damaged data."),
    ("9", "Bad configuration: a key, a list, an address, a directory."),
    ("130", "Interrupted."),
    ("141", "Nobody reads standard output any more."),
]
VARIABLES = [
    ("DHT_SOCKET", "The control socket, without --socket."),
    ("DHT_HISTORY", "The file in which the shell keeps lines; - keeps none."),
    ("DHT_HISTORY_OMIT", "Commands whose lines are not kept, separated by commas."),
    ("EDITRC", "The file with the user's keys, in place of ~/.editrc; see editrc(5)."),
    ("NO_COLOR", "No colours, if it is not empty."),
]


def escaped(text):
    """Text as roff reads it: dashes stay dashes, and no line is a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq")
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.split("\n"))


def quoted(text):
    """The argument of a macro."""
    return '"' + escaped(text).replace('"', '\\(dq') + '"'


def paragraphs(text):
    return "\n.PP\n".join(escaped(" ".join(part.split())) for part in (text or "").split("\n\n") if part.strip())


def option_names(argument):
    dashes = {"short": "-", "long": "--", "longWithSingleDash": "-"}
    return [dashes[name["kind"]] + name["name"] for name in argument.get("names", [])]


def value_name(argument):
    return "<" + argument.get("valueName", "value") + ">"


def heading(argument):
    """What a reader types, as a list's term."""
    if argument["kind"] == "positional":
        return value_name(argument)
    names = ", ".join(option_names(argument))
    return names + (" " + value_name(argument) if argument["kind"] == "option" else "")


def synopsis(argument):
    if argument["kind"] == "positional":
        text = value_name(argument)
    else:
        text = argument_name(argument) + (" " + value_name(argument) if argument["kind"] == "option" else "")
    text += "..." if argument.get("isRepeating") else ""
    return "[" + text + "]" if argument.get("isOptional") else text


def argument_name(argument):
    name = argument["preferredName"]
    return ("--" if name["kind"] == "long" else "-") + name["name"]


def entry(argument):
    lines = [".TP", ".B " + quoted(heading(argument))]
    text = " ".join(part for part in (argument.get("abstract"), argument.get("discussion")) if part)
    if argument.get("defaultValue") and argument["kind"] != "flag":
        text += " Default: " + argument["defaultValue"] + "."
    lines.append(escaped(" ".join(text.split())) or "\\&")
    return lines


def visible(command, kind):
    return [argument for argument in command.get("arguments", []) if argument.get("shouldDisplay", True)
            and (argument["kind"] == "positional") == (kind == "positional")]


def commands(command):
    """Subcommands that people see, but for the help that every command has."""
    return [sub for sub in command.get("subcommands", [])
            if sub.get("shouldDisplay", True) and sub["commandName"] != "help"]


def body(command, words):
    """The sections of one command, that of its own subcommands below it."""
    lines = [".SH SYNOPSIS"]
    below = commands(command)
    if below:
        lines += [".B " + quoted(" ".join(words)), escaped("<command> [<options>]")]
    else:
        arguments = visible(command, "option") + visible(command, "positional")
        lines += [".B " + quoted(" ".join(words))] + [escaped(synopsis(argument)) for argument in arguments]
    lines += [".SH DESCRIPTION", paragraphs(command.get("abstract"))]
    if command.get("discussion"):
        lines += [".PP", paragraphs(command["discussion"])]
    return lines + lists(command)


def lists(command, level=".SH"):
    lines = []
    for title, kind in (("ARGUMENTS", "positional"), ("OPTIONS", "option")):
        arguments = visible(command, kind)
        if arguments:
            lines.append(level + " " + (title if level == ".SH" else quoted(title.capitalize())))
            for argument in arguments:
                lines += entry(argument)
    return lines


def date():
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def page(name, abstract, version, sections, others):
    title = name.upper()
    lines = [
        ".\\\" Written by Packaging/manual.py from the program's own help.",
        '.TH %s 1 %s %s "User Commands"' % (quoted(title), date(), quoted("dht " + version)),
        ".SH NAME",
        escaped(name) + " \\- " + escaped(abstract.rstrip(".")),
    ]
    lines += sections
    lines += [".SH EXIT STATUS"]
    for code, text in EXIT_CODES:
        lines += [".TP", ".B " + code, escaped(text)]
    lines += [".SH ENVIRONMENT"]
    for variable, text in VARIABLES:
        lines += [".TP", ".B " + variable, escaped(text)]
    if others:
        lines += [".SH SEE ALSO"]
        lines += [".BR %s (1)%s" % (escaped(other), "," if other != others[-1] else "") for other in others]
    return "\n".join(lines) + "\n"


def overview(root):
    sections = body(root, ["dht"]) + [".SH COMMANDS"]
    for command in commands(root):
        sections += [".TP", ".B " + quoted("dht " + command["commandName"]), escaped(command["abstract"])]
    return sections


def pages(root, version):
    """The name and the text of each page."""
    names = ["dht-" + command["commandName"] for command in commands(root)]
    yield "dht", page("dht", root["abstract"], version, overview(root), names)
    for command in commands(root):
        name = "dht-" + command["commandName"]
        words = ["dht", command["commandName"]]
        sections = body(command, words)
        for sub in commands(command):
            sections += [".SH " + quoted(" ".join(words + [sub["commandName"]]).upper()),
                         ".B " + quoted(" ".join(words + [sub["commandName"]]))]
            sections += [escaped(synopsis(argument))
                         for argument in visible(sub, "option") + visible(sub, "positional")]
            sections += [".PP", paragraphs(sub.get("abstract"))]
            if sub.get("discussion"):
                sections += [".PP", paragraphs(sub["discussion"])]
            sections += lists(sub, ".SS")
        yield name, page(name, command["abstract"], version, sections, ["dht"])


def ask(program, option):
    return subprocess.run([program, option], check=True, capture_output=True, text=True).stdout


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: manual.py path/to/dht OUTDIR")
    program, directory = sys.argv[1:]
    root = json.loads(ask(program, "--experimental-dump-help"))["command"]
    version = ask(program, "--version").split()[1]
    os.makedirs(directory, exist_ok=True)
    for name, text in pages(root, version):
        with open(os.path.join(directory, name + ".1"), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
