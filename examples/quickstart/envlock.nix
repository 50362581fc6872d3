# Locked by envlock; do not edit. To lock anew after a change: envlock convert
{
  formatVersion = 1;
  inputHash = "03362275675276ec0ef2912bccc7aec5114b0680bf37b109b2b19e630be05c62";
  options = { };
  overridden = [ ];
  files = {
    "conda-lock.yml" = "5ee1d85d06bbbf19fb8c30d1132dde4e0a13def7be17287bec369e67db740414";
    "master.conda-lock.yml" = "92f5309f6178ffeef938d6e5fb42e3d4988c728431c01352a8f19c349c1768e1";
    "runtime.conda-lock.yml" = "2d27c0a2fb14ed14ae027a1a73313c10126abd2ee6f6e298fc7ad6cec8cbb7cb";
  };
  environments = {
    user = {
      aarch64-linux = {
        lockHash = "2fbc6a8d194238c371d2ae6c2a393b217758b53dc3e6a7b5407de20eaa41e6dd";
        specs = [
          "pip: celery[redis]"
          "pip: supervisor"
          "python=3.12"
        ];
        variables = { };
        packages = [
          {
            kind = "conda";
            name = "_openmp_mutex";
            version = "4.5";
            build = "20_gnu";
            fileName = "_openmp_mutex-4.5-20_gnu.conda";
            storeName = "_openmp_mutex-4.5-20_gnu.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/_openmp_mutex-4.5-20_gnu.conda";
            hash = "sha256-olJ7HYF5KgzNLAWFCWDfEZwrbY9f3sl/LbfSXcI7EGg=";
            size = 28926;
          }
          {
            kind = "conda";
            name = "bzip2";
            version = "1.0.8";
            build = "h4777abc_9";
            fileName = "bzip2-1.0.8-h4777abc_9.conda";
            storeName = "bzip2-1.0.8-h4777abc_9.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/bzip2-1.0.8-h4777abc_9.conda";
            hash = "sha256-s0lQd4id3muzcJOOfbgr5UXHPoWJaWrQhDoyIhUgrUw=";
            size = 192412;
          }
          {
            kind = "conda";
            name = "ca-certificates";
            version = "2026.7.22";
            build = "hbd8a1cb_0";
            fileName = "ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            storeName = "ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            hash = "sha256-CgVEz5X2Q5T+SVkob1xx9URK1Y/rBgLlO+yydEjSTaY=";
            size = 131780;
          }
          {
            kind = "conda";
            name = "ld_impl_linux-aarch64";
            version = "2.46.1";
            build = "default_h1979696_102";
            fileName = "ld_impl_linux-aarch64-2.46.1-default_h1979696_102.conda";
            storeName = "ld_impl_linux-aarch64-2.46.1-default_h1979696_102.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/ld_impl_linux-aarch64-2.46.1-default_h1979696_102.conda";
            hash = "sha256-LEkB9CJ7CFAyjtDGn5WLMK0s0YmC96McfB+RGCcATQg=";
            size = 905305;
          }
          {
            kind = "conda";
            name = "libexpat";
            version = "2.8.1";
            build = "hfae3067_1";
            fileName = "libexpat-2.8.1-hfae3067_1.conda";
            storeName = "libexpat-2.8.1-hfae3067_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libexpat-2.8.1-hfae3067_1.conda";
            hash = "sha256-IKVya8hwXZFDfJ5u+Dsw2mShcZuGllbSCh7oGDM+paw=";
            size = 77649;
          }
          {
            kind = "conda";
            name = "libffi";
            version = "3.5.2";
            build = "h376a255_0";
            fileName = "libffi-3.5.2-h376a255_0.conda";
            storeName = "libffi-3.5.2-h376a255_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libffi-3.5.2-h376a255_0.conda";
            hash = "sha256-PfTFOUSaq8NEO76MSSwB1AHuqJRgMIf8opF6pOHC3qk=";
            size = 55952;
          }
          {
            kind = "conda";
            name = "libgcc";
            version = "16.1.0";
            build = "h205dda4_0";
            fileName = "libgcc-16.1.0-h205dda4_0.conda";
            storeName = "libgcc-16.1.0-h205dda4_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libgcc-16.1.0-h205dda4_0.conda";
            hash = "sha256-JNsyp78XS6zvi5nzVONBMtOT9bXvLXpX7/GXhVX15yQ=";
            size = 628585;
          }
          {
            kind = "conda";
            name = "libgcc-ng";
            version = "16.1.0";
            build = "he9431aa_0";
            fileName = "libgcc-ng-16.1.0-he9431aa_0.conda";
            storeName = "libgcc-ng-16.1.0-he9431aa_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libgcc-ng-16.1.0-he9431aa_0.conda";
            hash = "sha256-unmGAgbSJOYEJvW1ne/ugwwJ2pS+OBjFcI4ySHjON6Q=";
            size = 28162;
          }
          {
            kind = "conda";
            name = "libgomp";
            version = "16.1.0";
            build = "h8acb6b2_0";
            fileName = "libgomp-16.1.0-h8acb6b2_0.conda";
            storeName = "libgomp-16.1.0-h8acb6b2_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libgomp-16.1.0-h8acb6b2_0.conda";
            hash = "sha256-iiQisvQsLDtPi9Zi7SLE1swyL1nhGCoiRdOc+EOnG7o=";
            size = 617193;
          }
          {
            kind = "conda";
            name = "liblzma";
            version = "5.8.3";
            build = "he30d5cf_0";
            fileName = "liblzma-5.8.3-he30d5cf_0.conda";
            storeName = "liblzma-5.8.3-he30d5cf_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/liblzma-5.8.3-he30d5cf_0.conda";
            hash = "sha256-1hliuc1Uw1VDYVUCA8ZNW2W3HjBYooW2bksEuXafClw=";
            size = 126102;
          }
          {
            kind = "conda";
            name = "libnsl";
            version = "2.0.1";
            build = "h86ecc28_1";
            fileName = "libnsl-2.0.1-h86ecc28_1.conda";
            storeName = "libnsl-2.0.1-h86ecc28_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libnsl-2.0.1-h86ecc28_1.conda";
            hash = "sha256-wNxNhBmOPu8fNzISmeSOJ1TKg/0S5ihHVOPLIxNXw6U=";
            size = 34831;
          }
          {
            kind = "conda";
            name = "libsqlite";
            version = "3.53.4";
            build = "h022381a_0";
            fileName = "libsqlite-3.53.4-h022381a_0.conda";
            storeName = "libsqlite-3.53.4-h022381a_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libsqlite-3.53.4-h022381a_0.conda";
            hash = "sha256-2ka1L2gV6XcfTiHjMyxCPIhkTpGslrBTToUVityIqLQ=";
            size = 963888;
          }
          {
            kind = "conda";
            name = "libuuid";
            version = "2.42.2";
            build = "h1022ec0_0";
            fileName = "libuuid-2.42.2-h1022ec0_0.conda";
            storeName = "libuuid-2.42.2-h1022ec0_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libuuid-2.42.2-h1022ec0_0.conda";
            hash = "sha256-dmNIn5fBBK44FNsQ84STLHS0OfPB/UJH5P41mYMMCQo=";
            size = 43248;
          }
          {
            kind = "conda";
            name = "libxcrypt";
            version = "4.4.36";
            build = "h31becfc_1";
            fileName = "libxcrypt-4.4.36-h31becfc_1.conda";
            storeName = "libxcrypt-4.4.36-h31becfc_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libxcrypt-4.4.36-h31becfc_1.conda";
            hash = "sha256-a0bDl2RAkbiiajBIY20QuYmxvyZtS+XpR0v3Y/go9B8=";
            size = 114269;
          }
          {
            kind = "conda";
            name = "libzlib";
            version = "1.3.2";
            build = "hdc9db2a_3";
            fileName = "libzlib-1.3.2-hdc9db2a_3.conda";
            storeName = "libzlib-1.3.2-hdc9db2a_3.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/libzlib-1.3.2-hdc9db2a_3.conda";
            hash = "sha256-du+mzJ1+b17ju8oJOfZAVK8r37PDYyUx+OYzz2wupB4=";
            size = 70108;
          }
          {
            kind = "conda";
            name = "ncurses";
            version = "6.6";
            build = "hf8d1292_0";
            fileName = "ncurses-6.6-hf8d1292_0.conda";
            storeName = "ncurses-6.6-hf8d1292_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/ncurses-6.6-hf8d1292_0.conda";
            hash = "sha256-Np24XFzY2Z3eNkznByXXZRHZyBmeW4IMdAQUCRv1vMo=";
            size = 960036;
          }
          {
            kind = "conda";
            name = "openssl";
            version = "3.6.3";
            build = "h546c87b_0";
            fileName = "openssl-3.6.3-h546c87b_0.conda";
            storeName = "openssl-3.6.3-h546c87b_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/openssl-3.6.3-h546c87b_0.conda";
            hash = "sha256-2kpd9CYUFmtpwvbYYC/BQl96qmmfd8O6+1x/5ps9n7c=";
            size = 3704664;
          }
          {
            kind = "conda";
            name = "packaging";
            version = "26.2";
            build = "pyhc364b38_0";
            fileName = "packaging-26.2-pyhc364b38_0.conda";
            storeName = "packaging-26.2-pyhc364b38_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/packaging-26.2-pyhc364b38_0.conda";
            hash = "sha256-OQar+2URo7swnjm5sbe8OPUKcjlx3iOVSJ/R83klWJA=";
            size = 91574;
          }
          {
            kind = "conda";
            name = "pip";
            version = "26.1.2";
            build = "pyh8b19718_0";
            fileName = "pip-26.1.2-pyh8b19718_0.conda";
            storeName = "pip-26.1.2-pyh8b19718_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/pip-26.1.2-pyh8b19718_0.conda";
            hash = "sha256-KbfXW/ga0RZFqOMgs2mr3JCpK5PyqReOhT2d3fguUQY=";
            size = 1203173;
          }
          {
            kind = "conda";
            name = "python";
            version = "3.12.13";
            build = "h91f4b29_0_cpython";
            fileName = "python-3.12.13-h91f4b29_0_cpython.conda";
            storeName = "python-3.12.13-h91f4b29_0_cpython.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/python-3.12.13-h91f4b29_0_cpython.conda";
            hash = "sha256-YZM0eIE/X9lsiaAN2WQgGwJm1x0uO8TdVnk1QFbkaUg=";
            size = 13757191;
          }
          {
            kind = "conda";
            name = "readline";
            version = "8.3";
            build = "hb682ff5_0";
            fileName = "readline-8.3-hb682ff5_0.conda";
            storeName = "readline-8.3-hb682ff5_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/readline-8.3-hb682ff5_0.conda";
            hash = "sha256-/mlfnSFemi490Mp/VkNatN8k9VBLg4ZePSld826I0hY=";
            size = 357597;
          }
          {
            kind = "conda";
            name = "setuptools";
            version = "83.0.0";
            build = "pyh332efcf_0";
            fileName = "setuptools-83.0.0-pyh332efcf_0.conda";
            storeName = "setuptools-83.0.0-pyh332efcf_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/setuptools-83.0.0-pyh332efcf_0.conda";
            hash = "sha256-SKn5YBZQXeut/GfwbeesVI3svDjTJ0CbJLBDLvbxYzU=";
            size = 642081;
          }
          {
            kind = "conda";
            name = "tk";
            version = "8.6.13";
            build = "noxft_h5cf4473_3";
            fileName = "tk-8.6.13-noxft_h5cf4473_3.conda";
            storeName = "tk-8.6.13-noxft_h5cf4473_3.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/tk-8.6.13-noxft_h5cf4473_3.conda";
            hash = "sha256-zVH72gUanzZ50Q70qUzR/zjBBTO4KEXa3Oi6hyRbpM4=";
            size = 3683040;
          }
          {
            kind = "conda";
            name = "tzdata";
            version = "2026c";
            build = "h151e31d_0";
            fileName = "tzdata-2026c-h151e31d_0.conda";
            storeName = "tzdata-2026c-h151e31d_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/tzdata-2026c-h151e31d_0.conda";
            hash = "sha256-uSjDDdyw4/VExureg1Jzfm5hDiYydrkCMttqV474mdg=";
            size = 118849;
          }
          {
            kind = "conda";
            name = "wheel";
            version = "0.46.3";
            build = "pyhd8ed1ab_0";
            fileName = "wheel-0.46.3-pyhd8ed1ab_0.conda";
            storeName = "wheel-0.46.3-pyhd8ed1ab_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/wheel-0.46.3-pyhd8ed1ab_0.conda";
            hash = "sha256-1s8vDr1eCRIMKOy6RQVWzlU3UmUtkXlUQvDnD4NxJq4=";
            size = 31858;
          }
          {
            kind = "conda";
            name = "zstd";
            version = "1.5.7";
            build = "h85ac4a6_6";
            fileName = "zstd-1.5.7-h85ac4a6_6.conda";
            storeName = "zstd-1.5.7-h85ac4a6_6.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-aarch64/zstd-1.5.7-h85ac4a6_6.conda";
            hash = "sha256-VpmQzxLkb531QCdRRtpWfZxhjB6cegvJ2c/vra7SC3U=";
            size = 614429;
          }
          {
            kind = "wheel";
            name = "amqp";
            version = "5.4.2";
            fileName = "amqp-5.4.2-py3-none-any.whl";
            storeName = "amqp-5.4.2-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/e1/1d/2da3a059d2736e2ad8104762f93ad2145b6b0586aaa6be5290bab5d96c68/amqp-5.4.2-py3-none-any.whl";
            hash = "sha256-5udWsVyJyGgYtIpJR6QkcGI4r79n1FdCjTJpvEWQ254=";
            size = 51956;
          }
          {
            kind = "wheel";
            name = "billiard";
            version = "4.3.2";
            fileName = "billiard-4.3.2-py3-none-any.whl";
            storeName = "billiard-4.3.2-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/21/05/3d445479b3f7e4ae0901cdf2c45f561b436d1a5b8ed1c5c97e260152ae50/billiard-4.3.2-py3-none-any.whl";
            hash = "sha256-N3Nae0EXqvpzUys7ST20wC+4XA5p1fNEfxE/0w/yeHI=";
            size = 90632;
          }
          {
            kind = "wheel";
            name = "celery";
            version = "5.6.3";
            fileName = "celery-5.6.3-py3-none-any.whl";
            storeName = "celery-5.6.3-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/cf/c9/6eccdda96e098f7ae843162db2d3c149c6931a24fda69fe4ab84d0027eb5/celery-5.6.3-py3-none-any.whl";
            hash = "sha256-CAj0L4CQnE1YMyAjYP+vsqT4P02OI+EoXZJmEOmnr6Y=";
            size = 451235;
          }
          {
            kind = "wheel";
            name = "click";
            version = "8.5.1";
            fileName = "click-8.5.1-py3-none-any.whl";
            storeName = "click-8.5.1-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/31/7d/164b7ffc8624fe9efb4221bf9af485d5c1e41b9ae118045d2b6dc5457d8b/click-8.5.1-py3-none-any.whl";
            hash = "sha256-i7U3bSAGlQOG+MZCdhMzSirK3F9VnLgOY40AtN+Vfjc=";
            size = 126163;
          }
          {
            kind = "wheel";
            name = "click-didyoumean";
            version = "0.3.1";
            fileName = "click_didyoumean-0.3.1-py3-none-any.whl";
            storeName = "click_didyoumean-0.3.1-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/1b/5b/974430b5ffdb7a4f1941d13d83c64a0395114503cc357c6b9ae4ce5047ed/click_didyoumean-0.3.1-py3-none-any.whl";
            hash = "sha256-XEu2AHz+pfL9ZYOi+2cBoipB65iVfmPQ+sQcEOfDEXw=";
            size = 3631;
          }
          {
            kind = "wheel";
            name = "click-plugins";
            version = "1.1.1.2";
            fileName = "click_plugins-1.1.1.2-py2.py3-none-any.whl";
            storeName = "click_plugins-1.1.1.2-py2.py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/3d/9a/2abecb28ae875e39c8cad711eb1186d8d14eab564705325e77e4e6ab9ae5/click_plugins-1.1.1.2-py2.py3-none-any.whl";
            hash = "sha256-AI1ldDgz/8H1QXvw546NLCOqsE2XRbqBe9PnGw/raqY=";
            size = 11051;
          }
          {
            kind = "wheel";
            name = "click-repl";
            version = "0.4.1";
            fileName = "click_repl-0.4.1-py3-none-any.whl";
            storeName = "click_repl-0.4.1-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/a4/f6/12dc0f2e0159c2b416818b7fedcda15b520043773364a81d7389809a5af5/click_repl-0.4.1-py3-none-any.whl";
            hash = "sha256-XLEIgdTF66qGlezraZEa8wYu54NCgStxNWSxeq0zPrU=";
            size = 14988;
          }
          {
            kind = "wheel";
            name = "kombu";
            version = "5.6.2";
            fileName = "kombu-5.6.2-py3-none-any.whl";
            storeName = "kombu-5.6.2-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/fb/0f/834427d8c03ff1d7e867d3db3d176470c64871753252b21b4f4897d1fa45/kombu-5.6.2-py3-none-any.whl";
            hash = "sha256-78/FWdoyTUHWHKMRsMZJZeo1tMVcwE7jblU4YUXazpM=";
            size = 214219;
          }
          {
            kind = "wheel";
            name = "prompt-toolkit";
            version = "3.0.53";
            fileName = "prompt_toolkit-3.0.53-py3-none-any.whl";
            storeName = "prompt_toolkit-3.0.53-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/54/6f/84908cad2d6aa5144abcf7b42709fe4fdb459bc640ec7ac5786e7693dabc/prompt_toolkit-3.0.53-py3-none-any.whl";
            hash = "sha256-AcCJHX+SN9XjOffT5Cza6At1NKuxx8DjNS77piMUkvI=";
            size = 392288;
          }
          {
            kind = "wheel";
            name = "python-dateutil";
            version = "4.0.0";
            fileName = "python_dateutil-4.0.0-py3-none-any.whl";
            storeName = "python_dateutil-4.0.0-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/2f/a9/52b89563d154433d79b51ed1eb4842bf7334cb2696891a7fe135618853d7/python_dateutil-4.0.0-py3-none-any.whl";
            hash = "sha256-peJG9564BHXmkb+Thizq2Y3s2KSYz1O6BRb83A9Q3Bw=";
            size = 92853;
          }
          {
            kind = "wheel";
            name = "redis";
            version = "6.4.0";
            fileName = "redis-6.4.0-py3-none-any.whl";
            storeName = "redis-6.4.0-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/e8/02/89e2ed7e85db6c93dfa9e8f691c5087df4e3551ab39081a4d7c6d1f90e05/redis-6.4.0-py3-none-any.whl";
            hash = "sha256-8FRPqWBCZOlGTN9IFOfUgw90sWXVLyozCnYKiN0ki38=";
            size = 279847;
          }
          {
            kind = "wheel";
            name = "supervisor";
            version = "4.3.0";
            fileName = "supervisor-4.3.0-py2.py3-none-any.whl";
            storeName = "supervisor-4.3.0-py2.py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/0e/65/5e726c372da8a5e35022a94388b12252710aad0c2351699c3d76ae8dba78/supervisor-4.3.0-py2.py3-none-any.whl";
            hash = "sha256-C8t2P92vukEPNcveImqn+FFLn7gusFoMhfZYjRwT+Ns=";
            size = 320736;
          }
          {
            kind = "wheel";
            name = "typing-extensions";
            version = "4.16.0";
            fileName = "typing_extensions-4.16.0-py3-none-any.whl";
            storeName = "typing_extensions-4.16.0-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/49/d3/b8441a820a491ddfc024b0b0cf0393375b75ea13866d9c66727e54c2fc80/typing_extensions-4.16.0-py3-none-any.whl";
            hash = "sha256-SByqSBN06BPBsXatoU6X8fZ6RTnOnP6z81DXjWNwwug=";
            size = 45571;
          }
          {
            kind = "wheel";
            name = "tzdata";
            version = "2026.6";
            fileName = "tzdata-2026.6-py2.py3-none-any.whl";
            storeName = "tzdata-2026.6-py2.py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/0a/66/9a06c2227fedfd4919f0eaaa8b94377d9730882a7e4f95823c9a331ab5e1/tzdata-2026.6-py2.py3-none-any.whl";
            hash = "sha256-ChDuxuE+8Wtif6vtml8rphpiscZ/MnMF9OfkEqcLSuw=";
            size = 348210;
          }
          {
            kind = "wheel";
            name = "tzlocal";
            version = "5.4.5";
            fileName = "tzlocal-5.4.5-py3-none-any.whl";
            storeName = "tzlocal-5.4.5-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/7b/c1/9be4e1a8a30db8729a86628073910e56f85aaf8a659e053f376a2e6ea5a8/tzlocal-5.4.5-py3-none-any.whl";
            hash = "sha256-7KtTT21l2d60xOpSwSGrbdWVjpuHjnHcsQJXgml1JFQ=";
            size = 18215;
          }
          {
            kind = "wheel";
            name = "vine";
            version = "5.1.0";
            fileName = "vine-5.1.0-py3-none-any.whl";
            storeName = "vine-5.1.0-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/03/ff/7c0c86c43b3cbb927e0ccc0255cb4057ceba4799cd44ae95174ce8e8b5b2/vine-5.1.0-py3-none-any.whl";
            hash = "sha256-QP3zxIss/hw4pJ6a4tpv2ojkeUyBAFCnKL10E4Efsdw=";
            size = 9636;
          }
          {
            kind = "wheel";
            name = "wcwidth";
            version = "0.9.4";
            fileName = "wcwidth-0.9.4-cp310-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl";
            storeName = "wcwidth-0.9.4-cp310-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl";
            url = "https://files.pythonhosted.org/packages/7d/5b/42bdf9a4b0e4f9126584af2ec73642de495f3bd8add907430f13c3bb98d2/wcwidth-0.9.4-cp310-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl";
            hash = "sha256-CTRp4B2IG/89uT/z9Ww2Tch8RB6gH59Bwi3gwL31xu8=";
            size = 789012;
          }
        ];
      };
      x86_64-linux = {
        lockHash = "6fc0e0224b9fd36c795e713c1423dbc12c34a03994205c98ca46b73f717abf3e";
        specs = [
          "pip: celery[redis]"
          "pip: supervisor"
          "python=3.12"
        ];
        variables = { };
        packages = [
          {
            kind = "conda";
            name = "_openmp_mutex";
            version = "4.5";
            build = "20_gnu";
            fileName = "_openmp_mutex-4.5-20_gnu.conda";
            storeName = "_openmp_mutex-4.5-20_gnu.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/_openmp_mutex-4.5-20_gnu.conda";
            hash = "sha256-HdP//Ykggd+XJtfrfg3qYZiWK6d1vYiEITWk3bTes8k=";
            size = 28948;
          }
          {
            kind = "conda";
            name = "bzip2";
            version = "1.0.8";
            build = "hda65f42_9";
            fileName = "bzip2-1.0.8-hda65f42_9.conda";
            storeName = "bzip2-1.0.8-hda65f42_9.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/bzip2-1.0.8-hda65f42_9.conda";
            hash = "sha256-C3XUXwu6PpXcaTM2+lH0DqKMmAEx/sQ4r7fOYRjtBfY=";
            size = 260182;
          }
          {
            kind = "conda";
            name = "ca-certificates";
            version = "2026.7.22";
            build = "hbd8a1cb_0";
            fileName = "ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            storeName = "ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            hash = "sha256-CgVEz5X2Q5T+SVkob1xx9URK1Y/rBgLlO+yydEjSTaY=";
            size = 131780;
          }
          {
            kind = "conda";
            name = "icu";
            version = "78.3";
            build = "h54a6638_2";
            fileName = "icu-78.3-h54a6638_2.conda";
            storeName = "icu-78.3-h54a6638_2.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/icu-78.3-h54a6638_2.conda";
            hash = "sha256-18Jgt+HPIs4E1rqKhuq/TmxQvJalwn/i7LMimK8+iOs=";
            size = 14455340;
          }
          {
            kind = "conda";
            name = "ld_impl_linux-64";
            version = "2.46.1";
            build = "default_hbd61a6d_102";
            fileName = "ld_impl_linux-64-2.46.1-default_hbd61a6d_102.conda";
            storeName = "ld_impl_linux-64-2.46.1-default_hbd61a6d_102.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/ld_impl_linux-64-2.46.1-default_hbd61a6d_102.conda";
            hash = "sha256-J9g/EYjNGby3dUoHiz+n9M+4Un+Osv3lTdAfxSnRrew=";
            size = 745303;
          }
          {
            kind = "conda";
            name = "libexpat";
            version = "2.8.1";
            build = "hecca717_1";
            fileName = "libexpat-2.8.1-hecca717_1.conda";
            storeName = "libexpat-2.8.1-hecca717_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libexpat-2.8.1-hecca717_1.conda";
            hash = "sha256-Fv7/2d275bcYUV047jdsaFupVJHNkBJE4kZx0guVKnc=";
            size = 77856;
          }
          {
            kind = "conda";
            name = "libffi";
            version = "3.5.2";
            build = "h3435931_0";
            fileName = "libffi-3.5.2-h3435931_0.conda";
            storeName = "libffi-3.5.2-h3435931_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libffi-3.5.2-h3435931_0.conda";
            hash = "sha256-MfGbaojOQOvA1amSwTH1fZGfc8C5LNFhelvsg/bpYeY=";
            size = 58592;
          }
          {
            kind = "conda";
            name = "libgcc";
            version = "16.1.0";
            build = "ha9f2e26_0";
            fileName = "libgcc-16.1.0-ha9f2e26_0.conda";
            storeName = "libgcc-16.1.0-ha9f2e26_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libgcc-16.1.0-ha9f2e26_0.conda";
            hash = "sha256-wG6cjBg23ae6UKX0J8HXvcS9MUJiB8RVMiHHWuScPsI=";
            size = 1057873;
          }
          {
            kind = "conda";
            name = "libgcc-ng";
            version = "16.1.0";
            build = "h69a702a_0";
            fileName = "libgcc-ng-16.1.0-h69a702a_0.conda";
            storeName = "libgcc-ng-16.1.0-h69a702a_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libgcc-ng-16.1.0-h69a702a_0.conda";
            hash = "sha256-LWSzxG3pIckQyqxLjahb6ErBeB3bXVY9RCQmd1PBIsw=";
            size = 28179;
          }
          {
            kind = "conda";
            name = "libgomp";
            version = "16.1.0";
            build = "he0feb66_0";
            fileName = "libgomp-16.1.0-he0feb66_0.conda";
            storeName = "libgomp-16.1.0-he0feb66_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libgomp-16.1.0-he0feb66_0.conda";
            hash = "sha256-JLZAZoetQ56YkHHgXn3b5ZgOBIZQFl5h//QPkGxVzIM=";
            size = 641292;
          }
          {
            kind = "conda";
            name = "liblzma";
            version = "5.8.3";
            build = "hb03c661_1";
            fileName = "liblzma-5.8.3-hb03c661_1.conda";
            storeName = "liblzma-5.8.3-hb03c661_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/liblzma-5.8.3-hb03c661_1.conda";
            hash = "sha256-l4ffjCKlnJpw0+WhDbmtZjSF516czD8JvQkst7leDas=";
            size = 112995;
          }
          {
            kind = "conda";
            name = "libnsl";
            version = "2.0.1";
            build = "hb9d3cd8_1";
            fileName = "libnsl-2.0.1-hb9d3cd8_1.conda";
            storeName = "libnsl-2.0.1-hb9d3cd8_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libnsl-2.0.1-hb9d3cd8_1.conda";
            hash = "sha256-kn/nKwVCd83my4JZfQ/Pa68SfcvOLgqdiSWmjxJl7vU=";
            size = 33731;
          }
          {
            kind = "conda";
            name = "libsqlite";
            version = "3.53.4";
            build = "h13e7031_1";
            fileName = "libsqlite-3.53.4-h13e7031_1.conda";
            storeName = "libsqlite-3.53.4-h13e7031_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libsqlite-3.53.4-h13e7031_1.conda";
            hash = "sha256-8g1w2lTlsx3UpR+x7+qvr9WrbdjXrJ0UOOqiUmrE7T0=";
            size = 974348;
          }
          {
            kind = "conda";
            name = "libstdcxx";
            version = "16.1.0";
            build = "h934c35e_0";
            fileName = "libstdcxx-16.1.0-h934c35e_0.conda";
            storeName = "libstdcxx-16.1.0-h934c35e_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libstdcxx-16.1.0-h934c35e_0.conda";
            hash = "sha256-p5HRtLvdi2v74xWwEdR5l1q5UkEVA19HTHDX5Di8oS8=";
            size = 6626334;
          }
          {
            kind = "conda";
            name = "libuuid";
            version = "2.42.2";
            build = "h5347b49_0";
            fileName = "libuuid-2.42.2-h5347b49_0.conda";
            storeName = "libuuid-2.42.2-h5347b49_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libuuid-2.42.2-h5347b49_0.conda";
            hash = "sha256-mxvc4np+MffSQa7s/2eh8xAdUqKx4zzMLN8mEwcr+B8=";
            size = 40017;
          }
          {
            kind = "conda";
            name = "libxcrypt";
            version = "4.4.36";
            build = "hd590300_1";
            fileName = "libxcrypt-4.4.36-hd590300_1.conda";
            storeName = "libxcrypt-4.4.36-hd590300_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libxcrypt-4.4.36-hd590300_1.conda";
            hash = "sha256-auaOC4ZCPvGIGW//YgftDIGV3YQnPLViO4WqCAM6QQw=";
            size = 100393;
          }
          {
            kind = "conda";
            name = "libzlib";
            version = "1.3.2";
            build = "h25fd6f3_3";
            fileName = "libzlib-1.3.2-h25fd6f3_3.conda";
            storeName = "libzlib-1.3.2-h25fd6f3_3.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libzlib-1.3.2-h25fd6f3_3.conda";
            hash = "sha256-64oNsKpXAST30qk9fH9ZbjOQ314EeBjYc7qtMphfxzY=";
            size = 63713;
          }
          {
            kind = "conda";
            name = "ncurses";
            version = "6.6";
            build = "hdb14827_1";
            fileName = "ncurses-6.6-hdb14827_1.conda";
            storeName = "ncurses-6.6-hdb14827_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/ncurses-6.6-hdb14827_1.conda";
            hash = "sha256-XUZVchTtGEOB2v6DW3yUpHShw7MHoIolCx6kd5tE/7M=";
            size = 911196;
          }
          {
            kind = "conda";
            name = "openssl";
            version = "3.6.4";
            build = "h781a0a9_0";
            fileName = "openssl-3.6.4-h781a0a9_0.conda";
            storeName = "openssl-3.6.4-h781a0a9_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/openssl-3.6.4-h781a0a9_0.conda";
            hash = "sha256-R0ey1qgzb1I0O864oev0Gp5uZludLj+YmXLeU6MQWZ4=";
            size = 3202955;
          }
          {
            kind = "conda";
            name = "packaging";
            version = "26.2";
            build = "pyhc364b38_0";
            fileName = "packaging-26.2-pyhc364b38_0.conda";
            storeName = "packaging-26.2-pyhc364b38_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/packaging-26.2-pyhc364b38_0.conda";
            hash = "sha256-OQar+2URo7swnjm5sbe8OPUKcjlx3iOVSJ/R83klWJA=";
            size = 91574;
          }
          {
            kind = "conda";
            name = "pip";
            version = "26.1.2";
            build = "pyh8b19718_0";
            fileName = "pip-26.1.2-pyh8b19718_0.conda";
            storeName = "pip-26.1.2-pyh8b19718_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/pip-26.1.2-pyh8b19718_0.conda";
            hash = "sha256-KbfXW/ga0RZFqOMgs2mr3JCpK5PyqReOhT2d3fguUQY=";
            size = 1203173;
          }
          {
            kind = "conda";
            name = "python";
            version = "3.12.13";
            build = "hd63d673_0_cpython";
            fileName = "python-3.12.13-hd63d673_0_cpython.conda";
            storeName = "python-3.12.13-hd63d673_0_cpython.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/python-3.12.13-hd63d673_0_cpython.conda";
            hash = "sha256-pEZVwcPh1D7YcEiQqR4Sr9aBMEFOosCHLhVOVjOhPX4=";
            size = 31608571;
          }
          {
            kind = "conda";
            name = "readline";
            version = "8.3";
            build = "hd6e31c0_1";
            fileName = "readline-8.3-hd6e31c0_1.conda";
            storeName = "readline-8.3-hd6e31c0_1.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/readline-8.3-hd6e31c0_1.conda";
            hash = "sha256-AbP+Bzpm4yGXDQngSziHCPjL3KXN+/y3ye60cK0QOD0=";
            size = 348899;
          }
          {
            kind = "conda";
            name = "setuptools";
            version = "83.0.0";
            build = "pyh332efcf_0";
            fileName = "setuptools-83.0.0-pyh332efcf_0.conda";
            storeName = "setuptools-83.0.0-pyh332efcf_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/setuptools-83.0.0-pyh332efcf_0.conda";
            hash = "sha256-SKn5YBZQXeut/GfwbeesVI3svDjTJ0CbJLBDLvbxYzU=";
            size = 642081;
          }
          {
            kind = "conda";
            name = "tk";
            version = "8.6.13";
            build = "noxft_hd70dff1_3";
            fileName = "tk-8.6.13-noxft_hd70dff1_3.conda";
            storeName = "tk-8.6.13-noxft_hd70dff1_3.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/tk-8.6.13-noxft_hd70dff1_3.conda";
            hash = "sha256-Q2JOqyL18p331v/pFM9ELyj9VZtVspCQYlVJKCbmNug=";
            size = 3550916;
          }
          {
            kind = "conda";
            name = "tzdata";
            version = "2026c";
            build = "h151e31d_0";
            fileName = "tzdata-2026c-h151e31d_0.conda";
            storeName = "tzdata-2026c-h151e31d_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/tzdata-2026c-h151e31d_0.conda";
            hash = "sha256-uSjDDdyw4/VExureg1Jzfm5hDiYydrkCMttqV474mdg=";
            size = 118849;
          }
          {
            kind = "conda";
            name = "wheel";
            version = "0.46.3";
            build = "pyhd8ed1ab_0";
            fileName = "wheel-0.46.3-pyhd8ed1ab_0.conda";
            storeName = "wheel-0.46.3-pyhd8ed1ab_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/wheel-0.46.3-pyhd8ed1ab_0.conda";
            hash = "sha256-1s8vDr1eCRIMKOy6RQVWzlU3UmUtkXlUQvDnD4NxJq4=";
            size = 31858;
          }
          {
            kind = "conda";
            name = "zstd";
            version = "1.5.7";
            build = "hb78ec9c_7";
            fileName = "zstd-1.5.7-hb78ec9c_7.conda";
            storeName = "zstd-1.5.7-hb78ec9c_7.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/zstd-1.5.7-hb78ec9c_7.conda";
            hash = "sha256-R9aCufbW7J6xpubD516mJz6Jnnj7f8WfgdOXRQCfvGA=";
            size = 601301;
          }
          {
            kind = "wheel";
            name = "amqp";
            version = "5.4.2";
            fileName = "amqp-5.4.2-py3-none-any.whl";
            storeName = "amqp-5.4.2-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/e1/1d/2da3a059d2736e2ad8104762f93ad2145b6b0586aaa6be5290bab5d96c68/amqp-5.4.2-py3-none-any.whl";
            hash = "sha256-5udWsVyJyGgYtIpJR6QkcGI4r79n1FdCjTJpvEWQ254=";
            size = 51956;
          }
          {
            kind = "wheel";
            name = "billiard";
            version = "4.3.2";
            fileName = "billiard-4.3.2-py3-none-any.whl";
            storeName = "billiard-4.3.2-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/21/05/3d445479b3f7e4ae0901cdf2c45f561b436d1a5b8ed1c5c97e260152ae50/billiard-4.3.2-py3-none-any.whl";
            hash = "sha256-N3Nae0EXqvpzUys7ST20wC+4XA5p1fNEfxE/0w/yeHI=";
            size = 90632;
          }
          {
            kind = "wheel";
            name = "celery";
            version = "5.6.3";
            fileName = "celery-5.6.3-py3-none-any.whl";
            storeName = "celery-5.6.3-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/cf/c9/6eccdda96e098f7ae843162db2d3c149c6931a24fda69fe4ab84d0027eb5/celery-5.6.3-py3-none-any.whl";
            hash = "sha256-CAj0L4CQnE1YMyAjYP+vsqT4P02OI+EoXZJmEOmnr6Y=";
            size = 451235;
          }
          {
            kind = "wheel";
            name = "click";
            version = "8.5.1";
            fileName = "click-8.5.1-py3-none-any.whl";
            storeName = "click-8.5.1-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/31/7d/164b7ffc8624fe9efb4221bf9af485d5c1e41b9ae118045d2b6dc5457d8b/click-8.5.1-py3-none-any.whl";
            hash = "sha256-i7U3bSAGlQOG+MZCdhMzSirK3F9VnLgOY40AtN+Vfjc=";
            size = 126163;
          }
          {
            kind = "wheel";
            name = "click-didyoumean";
            version = "0.3.1";
            fileName = "click_didyoumean-0.3.1-py3-none-any.whl";
            storeName = "click_didyoumean-0.3.1-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/1b/5b/974430b5ffdb7a4f1941d13d83c64a0395114503cc357c6b9ae4ce5047ed/click_didyoumean-0.3.1-py3-none-any.whl";
            hash = "sha256-XEu2AHz+pfL9ZYOi+2cBoipB65iVfmPQ+sQcEOfDEXw=";
            size = 3631;
          }
          {
            kind = "wheel";
            name = "click-plugins";
            version = "1.1.1.2";
            fileName = "click_plugins-1.1.1.2-py2.py3-none-any.whl";
            storeName = "click_plugins-1.1.1.2-py2.py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/3d/9a/2abecb28ae875e39c8cad711eb1186d8d14eab564705325e77e4e6ab9ae5/click_plugins-1.1.1.2-py2.py3-none-any.whl";
            hash = "sha256-AI1ldDgz/8H1QXvw546NLCOqsE2XRbqBe9PnGw/raqY=";
            size = 11051;
          }
          {
            kind = "wheel";
            name = "click-repl";
            version = "0.4.1";
            fileName = "click_repl-0.4.1-py3-none-any.whl";
            storeName = "click_repl-0.4.1-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/a4/f6/12dc0f2e0159c2b416818b7fedcda15b520043773364a81d7389809a5af5/click_repl-0.4.1-py3-none-any.whl";
            hash = "sha256-XLEIgdTF66qGlezraZEa8wYu54NCgStxNWSxeq0zPrU=";
            size = 14988;
          }
          {
            kind = "wheel";
            name = "kombu";
            version = "5.6.2";
            fileName = "kombu-5.6.2-py3-none-any.whl";
            storeName = "kombu-5.6.2-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/fb/0f/834427d8c03ff1d7e867d3db3d176470c64871753252b21b4f4897d1fa45/kombu-5.6.2-py3-none-any.whl";
            hash = "sha256-78/FWdoyTUHWHKMRsMZJZeo1tMVcwE7jblU4YUXazpM=";
            size = 214219;
          }
          {
            kind = "wheel";
            name = "prompt-toolkit";
            version = "3.0.53";
            fileName = "prompt_toolkit-3.0.53-py3-none-any.whl";
            storeName = "prompt_toolkit-3.0.53-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/54/6f/84908cad2d6aa5144abcf7b42709fe4fdb459bc640ec7ac5786e7693dabc/prompt_toolkit-3.0.53-py3-none-any.whl";
            hash = "sha256-AcCJHX+SN9XjOffT5Cza6At1NKuxx8DjNS77piMUkvI=";
            size = 392288;
          }
          {
            kind = "wheel";
            name = "python-dateutil";
            version = "4.0.0";
            fileName = "python_dateutil-4.0.0-py3-none-any.whl";
            storeName = "python_dateutil-4.0.0-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/2f/a9/52b89563d154433d79b51ed1eb4842bf7334cb2696891a7fe135618853d7/python_dateutil-4.0.0-py3-none-any.whl";
            hash = "sha256-peJG9564BHXmkb+Thizq2Y3s2KSYz1O6BRb83A9Q3Bw=";
            size = 92853;
          }
          {
            kind = "wheel";
            name = "redis";
            version = "6.4.0";
            fileName = "redis-6.4.0-py3-none-any.whl";
            storeName = "redis-6.4.0-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/e8/02/89e2ed7e85db6c93dfa9e8f691c5087df4e3551ab39081a4d7c6d1f90e05/redis-6.4.0-py3-none-any.whl";
            hash = "sha256-8FRPqWBCZOlGTN9IFOfUgw90sWXVLyozCnYKiN0ki38=";
            size = 279847;
          }
          {
            kind = "wheel";
            name = "supervisor";
            version = "4.3.0";
            fileName = "supervisor-4.3.0-py2.py3-none-any.whl";
            storeName = "supervisor-4.3.0-py2.py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/0e/65/5e726c372da8a5e35022a94388b12252710aad0c2351699c3d76ae8dba78/supervisor-4.3.0-py2.py3-none-any.whl";
            hash = "sha256-C8t2P92vukEPNcveImqn+FFLn7gusFoMhfZYjRwT+Ns=";
            size = 320736;
          }
          {
            kind = "wheel";
            name = "typing-extensions";
            version = "4.16.0";
            fileName = "typing_extensions-4.16.0-py3-none-any.whl";
            storeName = "typing_extensions-4.16.0-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/49/d3/b8441a820a491ddfc024b0b0cf0393375b75ea13866d9c66727e54c2fc80/typing_extensions-4.16.0-py3-none-any.whl";
            hash = "sha256-SByqSBN06BPBsXatoU6X8fZ6RTnOnP6z81DXjWNwwug=";
            size = 45571;
          }
          {
            kind = "wheel";
            name = "tzdata";
            version = "2026.6";
            fileName = "tzdata-2026.6-py2.py3-none-any.whl";
            storeName = "tzdata-2026.6-py2.py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/0a/66/9a06c2227fedfd4919f0eaaa8b94377d9730882a7e4f95823c9a331ab5e1/tzdata-2026.6-py2.py3-none-any.whl";
            hash = "sha256-ChDuxuE+8Wtif6vtml8rphpiscZ/MnMF9OfkEqcLSuw=";
            size = 348210;
          }
          {
            kind = "wheel";
            name = "tzlocal";
            version = "5.4.5";
            fileName = "tzlocal-5.4.5-py3-none-any.whl";
            storeName = "tzlocal-5.4.5-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/7b/c1/9be4e1a8a30db8729a86628073910e56f85aaf8a659e053f376a2e6ea5a8/tzlocal-5.4.5-py3-none-any.whl";
            hash = "sha256-7KtTT21l2d60xOpSwSGrbdWVjpuHjnHcsQJXgml1JFQ=";
            size = 18215;
          }
          {
            kind = "wheel";
            name = "vine";
            version = "5.1.0";
            fileName = "vine-5.1.0-py3-none-any.whl";
            storeName = "vine-5.1.0-py3-none-any.whl";
            url = "https://files.pythonhosted.org/packages/03/ff/7c0c86c43b3cbb927e0ccc0255cb4057ceba4799cd44ae95174ce8e8b5b2/vine-5.1.0-py3-none-any.whl";
            hash = "sha256-QP3zxIss/hw4pJ6a4tpv2ojkeUyBAFCnKL10E4Efsdw=";
            size = 9636;
          }
          {
            kind = "wheel";
            name = "wcwidth";
            version = "0.9.4";
            fileName = "wcwidth-0.9.4-cp310-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl";
            storeName = "wcwidth-0.9.4-cp310-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl";
            url = "https://files.pythonhosted.org/packages/fa/e8/0485850748dfdba9443f4151c7b2442cfa4987ba6cd871038eb5d6b8eca9/wcwidth-0.9.4-cp310-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl";
            hash = "sha256-sYXIuSeyOvJyG+F4NJnRz6XAKLCYsIWJUbSuIkR38cI=";
            size = 785946;
          }
        ];
      };
    };
    runtime = {
      x86_64-linux = {
        lockHash = "1839418b3bae3b1ccd4f2cfbcd48090d1444a9e14d7f26e43315f7f94ee24368";
        specs = [
          "ca-certificates"
          "sysroot_linux-64"
          "tini"
          "tzdata"
        ];
        variables = { };
        packages = [
          {
            kind = "conda";
            name = "_openmp_mutex";
            version = "4.5";
            build = "20_gnu";
            fileName = "_openmp_mutex-4.5-20_gnu.conda";
            storeName = "_openmp_mutex-4.5-20_gnu.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/_openmp_mutex-4.5-20_gnu.conda";
            hash = "sha256-HdP//Ykggd+XJtfrfg3qYZiWK6d1vYiEITWk3bTes8k=";
            size = 28948;
          }
          {
            kind = "conda";
            name = "ca-certificates";
            version = "2026.7.22";
            build = "hbd8a1cb_0";
            fileName = "ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            storeName = "ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            hash = "sha256-CgVEz5X2Q5T+SVkob1xx9URK1Y/rBgLlO+yydEjSTaY=";
            size = 131780;
          }
          {
            kind = "conda";
            name = "kernel-headers_linux-64";
            version = "4.18.0";
            build = "he073ed8_9";
            fileName = "kernel-headers_linux-64-4.18.0-he073ed8_9.conda";
            storeName = "kernel-headers_linux-64-4.18.0-he073ed8_9.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/kernel-headers_linux-64-4.18.0-he073ed8_9.conda";
            hash = "sha256-QVV+6t9kHeaurklIbO8w0CppEtjamFhdaHiUr9ZbNWo=";
            size = 1278712;
          }
          {
            kind = "conda";
            name = "libgcc";
            version = "16.2.0";
            build = "ha9f2e26_4";
            fileName = "libgcc-16.2.0-ha9f2e26_4.conda";
            storeName = "libgcc-16.2.0-ha9f2e26_4.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libgcc-16.2.0-ha9f2e26_4.conda";
            hash = "sha256-JAkOZ100QDtO4c1Dctj2wJN9p+z9ZqGaV8rC7Q9Op5M=";
            size = 1058083;
          }
          {
            kind = "conda";
            name = "libgomp";
            version = "16.2.0";
            build = "he0feb66_4";
            fileName = "libgomp-16.2.0-he0feb66_4.conda";
            storeName = "libgomp-16.2.0-he0feb66_4.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libgomp-16.2.0-he0feb66_4.conda";
            hash = "sha256-D+XLjgdSJBq1XhFlbtG5cmJItSLSO5Kf58lbg+tVubs=";
            size = 639968;
          }
          {
            kind = "conda";
            name = "sysroot_linux-64";
            version = "2.28";
            build = "h4ee821c_9";
            fileName = "sysroot_linux-64-2.28-h4ee821c_9.conda";
            storeName = "sysroot_linux-64-2.28-h4ee821c_9.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/sysroot_linux-64-2.28-h4ee821c_9.conda";
            hash = "sha256-xHKZ/jeuuw/PZ0s75Yjmfkr7hiJb5LDUUsfrdcCGuFE=";
            size = 24008591;
          }
          {
            kind = "conda";
            name = "tini";
            version = "0.19.0";
            build = "h280c20c_2";
            fileName = "tini-0.19.0-h280c20c_2.conda";
            storeName = "tini-0.19.0-h280c20c_2.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/tini-0.19.0-h280c20c_2.conda";
            hash = "sha256-g7pjAV/P2PVoUjpDyMY7sc00kDJKqGgqJywMfVkhluo=";
          }
          {
            kind = "conda";
            name = "tzdata";
            version = "2026c";
            build = "h151e31d_0";
            fileName = "tzdata-2026c-h151e31d_0.conda";
            storeName = "tzdata-2026c-h151e31d_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/tzdata-2026c-h151e31d_0.conda";
            hash = "sha256-uSjDDdyw4/VExureg1Jzfm5hDiYydrkCMttqV474mdg=";
            size = 118849;
          }
        ];
      };
    };
    master = {
      x86_64-linux = {
        lockHash = "0879fd215cced2c4b87fddbda558b6bb7943a77d4885f9db0b9ee576c531f603";
        specs = [ "redis-server" ];
        variables = { };
        packages = [
          {
            kind = "conda";
            name = "_openmp_mutex";
            version = "4.5";
            build = "20_gnu";
            fileName = "_openmp_mutex-4.5-20_gnu.conda";
            storeName = "_openmp_mutex-4.5-20_gnu.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/_openmp_mutex-4.5-20_gnu.conda";
            hash = "sha256-HdP//Ykggd+XJtfrfg3qYZiWK6d1vYiEITWk3bTes8k=";
            size = 28948;
          }
          {
            kind = "conda";
            name = "ca-certificates";
            version = "2026.7.22";
            build = "hbd8a1cb_0";
            fileName = "ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            storeName = "ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            url = "https://conda.anaconda.org/conda-forge/noarch/ca-certificates-2026.7.22-hbd8a1cb_0.conda";
            hash = "sha256-CgVEz5X2Q5T+SVkob1xx9URK1Y/rBgLlO+yydEjSTaY=";
            size = 131780;
          }
          {
            kind = "conda";
            name = "libgcc";
            version = "16.2.0";
            build = "ha9f2e26_4";
            fileName = "libgcc-16.2.0-ha9f2e26_4.conda";
            storeName = "libgcc-16.2.0-ha9f2e26_4.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libgcc-16.2.0-ha9f2e26_4.conda";
            hash = "sha256-JAkOZ100QDtO4c1Dctj2wJN9p+z9ZqGaV8rC7Q9Op5M=";
            size = 1058083;
          }
          {
            kind = "conda";
            name = "libgomp";
            version = "16.2.0";
            build = "he0feb66_4";
            fileName = "libgomp-16.2.0-he0feb66_4.conda";
            storeName = "libgomp-16.2.0-he0feb66_4.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/libgomp-16.2.0-he0feb66_4.conda";
            hash = "sha256-D+XLjgdSJBq1XhFlbtG5cmJItSLSO5Kf58lbg+tVubs=";
            size = 639968;
          }
          {
            kind = "conda";
            name = "openssl";
            version = "3.6.4";
            build = "h781a0a9_0";
            fileName = "openssl-3.6.4-h781a0a9_0.conda";
            storeName = "openssl-3.6.4-h781a0a9_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/openssl-3.6.4-h781a0a9_0.conda";
            hash = "sha256-R0ey1qgzb1I0O864oev0Gp5uZludLj+YmXLeU6MQWZ4=";
            size = 3202955;
          }
          {
            kind = "conda";
            name = "redis-server";
            version = "7.4.7";
            build = "h35e630c_0";
            fileName = "redis-server-7.4.7-h35e630c_0.conda";
            storeName = "redis-server-7.4.7-h35e630c_0.conda";
            url = "https://conda.anaconda.org/conda-forge/linux-64/redis-server-7.4.7-h35e630c_0.conda";
            hash = "sha256-xJ0fjBml8EW/dSaCVCn9lMUg4ggcEkZzQwGusgBqprY=";
            size = 8707076;
          }
        ];
      };
    };
  };
  cluster = {
    name = "quickstart";
    broker = "redis://:\${REDIS_PASSWORD}@\${REDIS_HOST:-master}:6379/0";
  };
  roles = {
    master = {
      services = {
        redis = {
          command = [
            "redis-server"
            "--dir"
            "/var/lib/redis"
            "--appendonly"
            "yes"
            "--requirepass"
            "\${REDIS_PASSWORD}"
          ];
          environment = {
            REDISCLI_AUTH = "\${REDIS_PASSWORD}";
          };
          ports = [ 6379 ];
          volumes = [ "/var/lib/redis" ];
          readiness = {
            command = [
              "redis-cli"
              "ping"
            ];
          };
          guard = false;
          stopTimeout = 60;
        };
      };
      environment = {
        CELERY_BROKER_URL = "redis://:\${REDIS_PASSWORD}@\${REDIS_HOST:-master}:6379/0";
        CELERY_RESULT_BACKEND = "redis://:\${REDIS_PASSWORD}@\${REDIS_HOST:-master}:6379/0";
      };
      secrets = [ "REDIS_PASSWORD" ];
      ports = [ ];
      volumes = [ ];
      user = {
        name = "airflow";
        id = 50000;
      };
      publishes = true;
    };
    worker = {
      services = {
        worker = {
          command = [
            "celery"
            "--app"
            "tasks"
            "worker"
            "--loglevel"
            "INFO"
            "--hostname"
            "worker@%h"
          ];
          environment = { };
          ports = [ ];
          volumes = [ ];
          readiness = {
            command = [
              "celery"
              "--app"
              "tasks"
              "inspect"
              "ping"
              "--destination"
              "worker@\${HOSTNAME}"
            ];
          };
          guard = true;
          stopTimeout = 600;
        };
      };
      environment = {
        CELERY_BROKER_URL = "redis://:\${REDIS_PASSWORD}@\${REDIS_HOST:-master}:6379/0";
        CELERY_RESULT_BACKEND = "redis://:\${REDIS_PASSWORD}@\${REDIS_HOST:-master}:6379/0";
      };
      secrets = [ "REDIS_PASSWORD" ];
      ports = [ ];
      volumes = [ ];
      user = {
        name = "airflow";
        id = 50000;
      };
      publishes = false;
    };
  };
}
