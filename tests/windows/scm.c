/* Asks the service control manager, for tests: scm.exe start|stop|reload|interrogate|query|config|stay
   `stay` only is there, for ten minutes: wine ends all services with the last program of a user. Wine's own sc.exe knows half of it. The exit code is Windows's error. */
#include <windows.h>
#include <stdio.h>
#include <string.h>

static SC_HANDLE service;

static DWORD show_status(void)
{
    SERVICE_STATUS_PROCESS status;
    DWORD needed;
    if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof status, &needed))
        return GetLastError();
    printf("state %lu accepts %lu exit %lu specific %lu wait_ms %lu\n", status.dwCurrentState,
           status.dwControlsAccepted, status.dwWin32ExitCode, status.dwServiceSpecificExitCode, status.dwWaitHint);
    return 0;
}

static DWORD show_config(void)
{
    static BYTE buffer[8192];
    QUERY_SERVICE_CONFIGW *config = (QUERY_SERVICE_CONFIGW *)buffer;
    DWORD needed;
    if (!QueryServiceConfigW(service, config, sizeof buffer, &needed))
        return GetLastError();
    printf("start %lu account %ls command %ls\n", config->dwStartType, config->lpServiceStartName,
           config->lpBinaryPathName);
    return 0;
}

static DWORD control(DWORD code)
{
    SERVICE_STATUS status;
    return ControlService(service, code, &status) ? show_status() : GetLastError();
}

int main(int argc, char **argv)
{
    const char *verb = argc == 2 ? argv[1] : "";
    SC_HANDLE manager;
    if (!strcmp(verb, "stay")) {
        Sleep(600000);
        return 0;
    }
    manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    service = manager ? OpenServiceW(manager, L"Stopmark", SERVICE_ALL_ACCESS) : NULL;
    if (!service)
        return GetLastError();
    if (!strcmp(verb, "start"))
        return StartServiceW(service, 0, NULL) ? 0 : GetLastError();
    if (!strcmp(verb, "stop"))
        return control(SERVICE_CONTROL_STOP);
    if (!strcmp(verb, "reload"))
        return control(SERVICE_CONTROL_PARAMCHANGE);
    if (!strcmp(verb, "interrogate"))
        return control(SERVICE_CONTROL_INTERROGATE);
    if (!strcmp(verb, "query"))
        return show_status();
    return strcmp(verb, "config") ? ERROR_INVALID_PARAMETER : (int)show_config();
}
