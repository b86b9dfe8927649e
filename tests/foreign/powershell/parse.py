"""Prints what is wrong with a PowerShell script, a line each; nothing, where nothing is."""

import sys

import tree_sitter
import tree_sitter_powershell

# Of the approved verbs (Get-Verb), those that this house uses.
VERBS = "Assert Copy Get Install Invoke Join Move New Out Register Remove Set Start Stop Test Uninstall Wait Write".split()
# PSScriptAnalyzer wants -WhatIf of functions with these (PSUseShouldProcessForStateChangingFunctions), and we of more.
CHANGING = "New Set Remove Start Stop Restart Reset Update Copy Move Register Unregister Install Uninstall".split()
# Scripts are read by people in all terminals, and their words are data (PSAvoidUsingWriteHost and its like).
UNWANTED = {"Write-Host", "Invoke-Expression", "Get-WmiObject", "New-EventLog", "Remove-EventLog", "Remove-Service"}
# PowerShell 7 knows them and Windows PowerShell 5.1 does not; its newer operators are not in the grammar at all.
TOO_NEW = {"$IsWindows", "$IsLinux", "$IsMacOS", "$PSStyle"}


def nodes(node):
    yield node
    for child in node.children:
        yield from nodes(child)


def text(node):
    return node.text.decode()


def where(node):
    return f"line {node.start_point[0] + 1}"


def faults(source):
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    tree = list(nodes(parser.parse(source).root_node))
    for node in tree:
        if node.type == "ERROR" or node.is_missing:
            yield f"{where(node)}: not understood: {text(node)[:60]!r}"
        elif node.type == "command_name" and not text(node).startswith("$"):
            yield from command_faults(node)
        elif node.type == "function_statement":
            yield from function_faults(node)
        elif node.type == "variable" and text(node) in TOO_NEW:
            yield f"{where(node)}: not known to PowerShell 5.1: {text(node)}"
    if not source.isascii():
        yield "Windows PowerShell 5.1 takes a file without a byte order mark for one of the old code pages"


def command_faults(node):
    name = text(node)
    verb, _, noun = name.partition("-")
    if name in UNWANTED:
        yield f"{where(node)}: {name} is not used here"
    elif not noun:
        yield f"{where(node)}: an alias or a bare program: {name}"
    elif verb not in VERBS:
        yield f"{where(node)}: {verb} is none of the verbs used here"


def function_faults(node):
    name = next(text(child) for child in node.children if child.type == "function_name")
    verb = name.partition("-")[0]
    if verb not in VERBS:
        yield f"{where(node)}: {verb} is none of the verbs used here"
    if "[CmdletBinding(" not in text(node):
        yield f"{where(node)}: {name} is no advanced function"
    if verb in CHANGING and "SupportsShouldProcess" not in text(node):
        yield f"{where(node)}: {name} does not know -WhatIf"


with open(sys.argv[1], "rb") as file:
    found = list(faults(file.read()))
print(*found, sep="\n", end="\n" if found else "")
sys.exit(1 if found else 0)
